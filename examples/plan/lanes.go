package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// The sizes of the lines, in pixels. A row may be higher than its minimum; its dot is in the
// middle of the minimum, and only vertical lines are below it.
const (
	dotY        = 22
	laneWidth   = 16
	trackWidth  = 9
	wideLanes   = 6 // of more, each is narrower
	narrowLane  = 11
	narrowTrack = 6
	mostLanes   = 10
	mostTracks  = 10
)

// line is a vertical line in a row. Its ends are pixels or percentages of the height, which
// depends on the width of the window.
type line struct {
	X        int
	From, To string
	Class    string
}

type shape struct{ Path, Class string }

// lines draws, row by row, runAfter as lanes and inheritance as arcs between the lanes and the
// names.
func (d *drawing) lines(operations []operation) {
	index := make(map[dataflow.Ref]int, len(operations))
	for i := range operations {
		index[operations[i].Ref] = i
	}
	d.Width = d.arcs(operations, index, d.lanes(operations, index)) + 8
}

// lanes draws runAfter, and the dots. The last follower of an operation stays in its lane;
// every other one takes the lane right of it. It returns the width of the lanes.
func (d *drawing) lanes(operations []operation, index map[dataflow.Ref]int) int {
	predecessor, last := make([]int, len(operations)), make([]int, len(operations))
	for i := range operations {
		predecessor[i] = -1
		if o := &operations[i]; o.RunAfter != nil {
			if p, ok := index[*o.RunAfter]; ok && p < i {
				predecessor[i], last[p] = p, i
			}
		}
	}
	lane, most := make([]int, len(operations)), 0
	for i, p := range predecessor {
		if p >= 0 {
			lane[i] = lane[p]
			if last[p] != i {
				lane[i] = min(lane[p]+1, mostLanes-1)
			}
		}
		most = max(most, lane[i])
	}
	width := laneWidth
	if most >= wideLanes {
		width = narrowLane
	}
	x := func(lane int) int { return 14 + width*lane }
	var open []int // operations that have followers further down
	for i := range operations {
		o, row := &operations[i], &d.Rows[i]
		row.X = x(lane[i])
		row.Dot, row.Mark = strings.ToLower(string(o.worst)), ""
		switch o.Phase {
		case dataflow.Complete:
			row.Dot, row.Mark = row.Dot+" complete", "M-3 0l2 2.5 4-4.5"
		case dataflow.Executing:
			row.Dot, row.Mark = row.Dot+" executing", "M-1.5-3l4.5 3-4.5 3z"
		case dataflow.Failed:
			row.Dot, row.Mark = row.Dot+" failed", "M-2.5-2.5l5 5m0-5l-5 5"
		}
		open = slices.DeleteFunc(open, func(p int) bool { return last[p] < i })
		for _, p := range open {
			switch from, to := x(lane[p]), row.X; {
			case predecessor[i] != p:
				row.Lines = append(row.Lines, line{from, "0", "100%", "lane"})
			case from == to:
				row.Lines = append(row.Lines, line{from, "0", fmt.Sprint(dotY), "lane"})
			default: // a branch; the lane itself goes on
				row.Lines = append(row.Lines, line{from, "0", "100%", "lane"})
				row.Paths = append(row.Paths, shape{fmt.Sprintf("M%d 0C%d %d %d 2 %d %d", from, from, dotY-6, to, to, dotY), "lane"})
			}
		}
		if last[i] > i {
			open = append(open, i)
			row.Lines = append(row.Lines, line{row.X, fmt.Sprint(dotY), "100%", "lane"})
		}
	}
	return x(most + 1)
}

// arcs draws inheritance: from a source, one arc for each policy, with a branch to each
// follower. Short arcs are nearer to the names. It returns the width of lanes and arcs.
func (d *drawing) arcs(operations []operation, index map[dataflow.Ref]int, left int) int {
	type arc struct {
		from, to  int
		class     string
		followers []int
		track     int
	}
	type start struct {
		from   int
		policy affinity.Policy
	}
	byStart, arcs := map[start]*arc{}, []*arc{}
	for i := range operations {
		o := &operations[i]
		if o.Source == nil {
			continue
		}
		from, ok := index[*o.Source]
		if !ok || from >= i {
			continue
		}
		at := start{from, o.Policy}
		if byStart[at] == nil {
			class := "require"
			if o.Policy == affinity.Prefer {
				class = "prefer"
			}
			byStart[at] = &arc{from: from, class: class}
			arcs = append(arcs, byStart[at])
		}
		byStart[at].to, byStart[at].followers = i, append(byStart[at].followers, i)
	}
	byLength := slices.Clone(arcs)
	slices.SortStableFunc(byLength, func(a, b *arc) int { return cmp.Compare(a.to-a.from, b.to-b.from) })
	var tracks [][]*arc
	for _, a := range byLength {
		a.track = slices.IndexFunc(tracks, func(others []*arc) bool {
			return !slices.ContainsFunc(others, func(b *arc) bool { return a.from <= b.to && b.from <= a.to })
		})
		if a.track < 0 {
			a.track = len(tracks)
			if a.track < mostTracks {
				tracks = append(tracks, nil)
			}
		}
		if a.track < mostTracks {
			tracks[a.track] = append(tracks[a.track], a)
		}
	}
	width := trackWidth
	if len(tracks) > wideLanes {
		width = narrowTrack
	}
	right := left + width*len(tracks) + 2
	for _, a := range arcs {
		if a.track == mostTracks { // the words beside the name have to do
			for _, i := range a.followers {
				d.Rows[i].Paths = append(d.Rows[i].Paths, shape{fmt.Sprintf("M%d %dH%d", right-6, dotY, right), a.class + " head"})
			}
			continue
		}
		x := right - width*(a.track+1)
		from := &d.Rows[a.from]
		from.Paths = append(from.Paths, shape{fmt.Sprintf("M%d %dC%d %d %d %d %d %d", right, dotY+4, x+2, dotY+4, x, dotY+6, x, dotY+18), a.class})
		from.Lines = append(from.Lines, line{x, fmt.Sprint(dotY + 18), "100%", a.class})
		next := 0
		for i := a.from + 1; i <= a.to; i++ {
			row := &d.Rows[i]
			follows := a.followers[next] == i
			if follows {
				next++
				row.Paths = append(row.Paths, shape{fmt.Sprintf("M%d 0C%d %d %d %d %d %d", x, x, dotY-8, x+2, dotY-4, right, dotY-4), a.class + " head"})
			}
			if i < a.to {
				row.Lines = append(row.Lines, line{x, "0", "100%", a.class})
			}
		}
	}
	return right
}
