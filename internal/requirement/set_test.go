package requirement_test

import (
	"fmt"
	"math/big"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// A state is a state of one label and its properties.
type state struct {
	value   string
	present bool
	legal   bool
	integer *big.Int // nil if the value is not a signed 64-bit integer
}

// oracle defines by law C2 which states Kubernetes allows, and which integers values are. It
// shares no code with the package.
type oracle struct{ labelValue, integer *regexp.Regexp }

func newOracle() oracle {
	return oracle{regexp.MustCompile(`\A([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\z`), regexp.MustCompile(`\A[-+]?[0-9]+\z`)}
}

func (o oracle) state(value string) state {
	s := state{value: value, present: true, legal: o.labelValue.MatchString(value)}
	if o.integer.MatchString(value) {
		if n, ok := new(big.Int).SetString(value, 10); ok && n.IsInt64() {
			s.integer = n
		}
	}
	return s
}

func (o oracle) universe(values ...string) []state {
	universe := []state{{legal: true}}
	for _, value := range values {
		universe = append(universe, o.state(value))
	}
	return universe
}

// allows reports whether s is a state that Kubernetes allows and that all expressions match.
func (o oracle) allows(s state, expressions ...expression) bool {
	for _, e := range expressions {
		listed := s.present && slices.Contains(e.Values, s.value)
		var admitted bool
		switch e.Operator {
		case in:
			admitted = listed
		case notIn:
			admitted = !listed
		case exists:
			admitted = s.present
		case doesNotExist:
			admitted = !s.present
		case gt, lt:
			bound := o.state(e.Values[0]).integer
			admitted = s.present && s.integer != nil && bound != nil && s.integer.Cmp(bound) == map[corev1.NodeSelectorOperator]int{gt: 1, lt: -1}[e.Operator]
		}
		if !admitted {
			return false
		}
	}
	return s.legal
}

// check compares a set with the oracle on every state of the universe, which must have a state
// that the set has unless the set is empty.
func (o oracle) check(t fataler, set requirement.Set, universe []state, expressions ...expression) {
	t.Helper()
	empty := true
	for _, s := range universe {
		want := o.allows(s, expressions...)
		if got := set.Has(s.value, s.present); got != want {
			t.Fatalf("%q: Has(%q, %v) = %v, want %v", expressions, s.value, s.present, got, want)
		}
		empty = empty && !want
	}
	if set.Empty() != empty {
		t.Fatalf("%q: Empty() = %v, want %v", expressions, set.Empty(), empty)
	}
}

// subsets returns all subsets of values but the empty one.
func subsets(values ...string) [][]string {
	var all [][]string
	for mask := 1; mask < 1<<len(values); mask++ {
		var subset []string
		for i, value := range values {
			if mask>>i&1 == 1 {
				subset = append(subset, value)
			}
		}
		all = append(all, subset)
	}
	return all
}

// TestLawC2Enumeration tries every conjunction of up to three requirements: In and NotIn with
// every set of values of an alphabet, Exists and DoesNotExist, and Gt and Lt with every bound.
func TestLawC2Enumeration(t *testing.T) {
	t.Parallel()
	o := newOracle()
	expressions := []expression{expr(exists), expr(doesNotExist)}
	for _, values := range subsets("", "a", "3", "4", "04", "5") {
		expressions = append(expressions, expr(in, values...), expr(notIn, values...))
	}
	for _, bound := range []string{"0", "3", "4", "04", "5", "9223372036854775807", "word"} {
		expressions = append(expressions, expr(gt, bound), expr(lt, bound))
	}
	// In addition to the alphabet: a word that no expression lists, numbers between, below and
	// above all bounds, spellings of each that no expression lists, and strings that are not
	// label values.
	universe := o.universe("", "a", "z", "0", "00", "1", "2", "3", "03", "4", "04", "004", "5", "05", "6", "7",
		"9223372036854775806", "9223372036854775807", "9223372036854775808", longest(), "-1", "-0", "+4", "-", "a b", tooLong())

	masks := make([]uint64, len(expressions)) // which states of the universe each expression allows
	sets := make([]requirement.Set, len(expressions))
	for i, e := range expressions {
		for bit, s := range universe {
			if o.allows(s, e) {
				masks[i] |= 1 << bit
			}
		}
		sets[i] = requirement.Of(parse(t, e))
		o.check(t, sets[i], universe, e)
	}
	o.check(t, requirement.Of(), universe)

	var wait sync.WaitGroup
	var lock sync.Mutex
	cases, empties := 1+len(expressions), 0
	for worker := range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			n, empty := 0, 0
			try := func(want uint64, set requirement.Set, indices ...int) {
				n++
				good := set.Empty() == (want == 0)
				if want == 0 {
					empty++
				}
				for bit, s := range universe {
					good = good && set.Has(s.value, s.present) == (want>>bit&1 == 1)
				}
				if !good {
					var conjunction []expression
					for _, i := range indices {
						conjunction = append(conjunction, expressions[i])
					}
					t.Errorf("%q: %+v (empty: %v), want the states %b", conjunction, set, set.Empty(), want)
				}
			}
			for i := worker; i < len(expressions) && !t.Failed(); i += runtime.GOMAXPROCS(0) {
				for j := range i + 1 {
					pair := sets[i].Intersect(sets[j])
					try(masks[i]&masks[j], pair, i, j)
					for k := range j + 1 {
						try(masks[i]&masks[j]&masks[k], pair.Intersect(sets[k]), i, j, k)
					}
				}
			}
			lock.Lock()
			defer lock.Unlock()
			cases, empties = cases+n, empties+empty
		}()
	}
	wait.Wait()
	t.Logf("%d conjunctions of up to three of %d requirements, over %d states; %d of them are empty", cases, len(expressions), len(universe), empties)
}

// spellings returns every label value that is the integer n, 4 as 4, 04, 004, …
func spellings(n int64) []string {
	var all []string
	for value := strconv.FormatInt(n, 10); len(value) <= 63; value = "0" + value {
		all = append(all, value)
	}
	return all
}

func without(values []string, i int) []string { return slices.Delete(slices.Clone(values), i, i+1) }

func TestLawC2Corners(t *testing.T) {
	fours, fives, max := spellings(4), spellings(5), int64(9223372036854775807)
	if len(fours) != 63 || len(spellings(10)) != 62 || len(spellings(max)) != 45 {
		t.Fatal("spellings are miscounted")
	}
	lastFour := fours[62]
	for _, test := range []struct {
		is   string
		of   []expression
		want string // a state in the set: a quoted value, absent or none
	}{
		{"nothing asked", nil, "absent"},
		{"the empty string is a value", []expression{expr(in, "")}, `""`},
		{"Exists", []expression{expr(exists)}, `"a"`},
		{"NotIn allows absent", []expression{expr(notIn, "a")}, "absent"},
		{"NotIn with Exists", []expression{expr(notIn, "a", "b"), expr(exists)}, `"c"`},
		{"NotIn twice", []expression{expr(notIn, "a", "c"), expr(exists), expr(notIn, "b", "a")}, `"d"`},
		{"DoesNotExist", []expression{expr(doesNotExist)}, "absent"},
		{"DoesNotExist with NotIn", []expression{expr(doesNotExist), expr(notIn, "a")}, "absent"},
		{"DoesNotExist with Exists", []expression{expr(doesNotExist), expr(exists)}, "none"},
		{"DoesNotExist with In", []expression{expr(doesNotExist), expr(in, "a")}, "none"},
		{"DoesNotExist with Gt", []expression{expr(doesNotExist), expr(gt, "1")}, "none"},
		{"In twice", []expression{expr(in, "a", "b", "c"), expr(in, "d", "c", "b")}, `"b"`},
		{"In twice, nothing in common", []expression{expr(in, "a"), expr(in, "b")}, "none"},
		{"In with NotIn", []expression{expr(in, "a", "b"), expr(notIn, "a")}, `"b"`},
		{"In with NotIn of all", []expression{expr(in, "a", "b"), expr(notIn, "a", "b", "c")}, "none"},
		{"In with bounds", []expression{expr(in, "a", "3", "007", "9"), expr(gt, "3"), expr(lt, "9")}, `"007"`},
		{"In with bounds, none between", []expression{expr(in, "a", "3", "9"), expr(gt, "3"), expr(lt, "9")}, "none"},
		{"Gt", []expression{expr(gt, "3")}, `"4"`},
		{"Lt", []expression{expr(lt, "3")}, `"0"`},
		{"Lt 1", []expression{expr(lt, "1")}, `"0"`},
		{"Lt 0: no label value is negative", []expression{expr(lt, "0")}, "none"},
		{"Gt the greatest", []expression{expr(gt, "9223372036854775807")}, "none"},
		{"Gt the greatest but one", []expression{expr(gt, "9223372036854775806")}, `"9223372036854775807"`},
		{"the greatest but excluded", []expression{expr(gt, "9223372036854775806"), expr(notIn, "9223372036854775807")}, `"09223372036854775807"`},
		{"every spelling of the greatest excluded", []expression{expr(gt, "9223372036854775806"), expr(notIn, spellings(max)...)}, "none"},
		{"Gt 3, Lt 4", []expression{expr(gt, "3"), expr(lt, "4")}, "none"},
		{"Gt 4, Lt 4", []expression{expr(gt, "4"), expr(lt, "4")}, "none"},
		{"Gt 5, Lt 3", []expression{expr(gt, "5"), expr(lt, "3")}, "none"},
		{"Gt 3, Lt 5", []expression{expr(gt, "3"), expr(lt, "5")}, `"4"`},
		{"Gt 3, Gt 7, Lt 9, Lt 20", []expression{expr(gt, "3"), expr(lt, "9"), expr(gt, "7"), expr(lt, "20")}, `"8"`},
		{"Gt 3, Lt 5, NotIn 4", []expression{expr(gt, "3"), expr(lt, "5"), expr(notIn, "4")}, `"04"`},
		{"Gt 3, Lt 6, NotIn 4", []expression{expr(notIn, "4"), expr(gt, "3"), expr(lt, "6")}, `"5"`},
		{"Gt 3, Lt 6, NotIn 4, 5", []expression{expr(gt, "3"), expr(lt, "6"), expr(notIn, "4", "5")}, `"04"`},
		{"every spelling of 4 excluded", []expression{expr(gt, "3"), expr(lt, "5"), expr(notIn, fours...)}, "none"},
		{"in two parts", []expression{expr(notIn, fours[:40]...), expr(gt, "3"), expr(notIn, fours[30:]...), expr(lt, "5")}, "none"},
		{"every spelling but the longest", []expression{expr(gt, "3"), expr(lt, "5"), expr(notIn, without(fours, 62)...)}, `"` + lastFour + `"`},
		{"every spelling of 4 and 5", []expression{expr(gt, "3"), expr(lt, "6"), expr(notIn, fours...), expr(notIn, fives...)}, "none"},
		{"every spelling of 4 and all but one of 5", []expression{expr(gt, "3"), expr(lt, "6"), expr(notIn, fours...), expr(notIn, without(fives, 50)...)}, `"` + fives[50] + `"`},
		{"9 to 10, of unequal length", []expression{expr(gt, "8"), expr(lt, "11"), expr(notIn, spellings(10)...), expr(notIn, without(spellings(9), 62)...)}, `"` + spellings(9)[62] + `"`},
		{"9 to 10, all", []expression{expr(gt, "8"), expr(lt, "11"), expr(notIn, spellings(10)...), expr(notIn, spellings(9)...)}, "none"},
		{"exclusions that are out of bounds", []expression{expr(gt, "3"), expr(lt, "5"), expr(notIn, append(fives, "a", "")...)}, `"4"`},
	} {
		rs := parseAll(t, test.of...)
		for range 2 {
			set := requirement.Of(rs...)
			has := true
			if test.want == "absent" {
				has = set.Has("", false)
			} else if value, err := strconv.Unquote(test.want); err == nil {
				has = set.Has(value, true)
			}
			if !has || set.Empty() != (test.want == "none") {
				t.Errorf("%s: has %s: %v, empty: %v", test.is, test.want, has, set.Empty())
			}
			slices.Reverse(rs)
		}
	}
	for i, spelling := range fours {
		set := requirement.Of(parseAll(t, expr(gt, "3"), expr(lt, "5"), expr(notIn, without(fours, i)...))...)
		if set.Empty() || !set.Has(spelling, true) {
			t.Errorf("all spellings of 4 but %q: empty: %v", spelling, set.Empty())
		}
	}
}

func TestZeroSetIsEmpty(t *testing.T) {
	var zero requirement.Set
	for _, set := range []requirement.Set{zero, zero.Intersect(requirement.Of()), requirement.Of().Intersect(zero)} {
		if !set.Empty() || set.Has("", true) || set.Has("", false) {
			t.Errorf("got %+v", set)
		}
	}
}

func TestNamesAreNeverAbsent(t *testing.T) {
	long := strings.Repeat("a", 253)
	inA, notInA := requirement.Of(parseField(t, nameExpr(in, "a"))), requirement.Of(parseField(t, nameExpr(notIn, "a")))
	notInB, inB := requirement.Of(parseField(t, nameExpr(notIn, "b"))), requirement.Of(parseField(t, nameExpr(in, "b")))
	for _, test := range []struct {
		is    string
		set   requirement.Set
		empty bool
		has   []string
		not   []string
	}{
		{"In", inA, false, []string{"a"}, []string{"", "b", long}},
		{"NotIn", notInA, false, []string{"b", long, "n.x"}, []string{"", "a", "A", "-", "a_b", long + "a"}},
		{"NotIn twice", notInA.Intersect(notInB), false, []string{"c", long}, []string{"", "a", "b"}},
		{"In with another NotIn", inA.Intersect(notInB), false, []string{"a"}, []string{"b", "c"}},
		{"In with NotIn", inA.Intersect(notInA), true, nil, []string{"a", "b"}},
		{"In twice", inA.Intersect(inB), true, nil, []string{"a", "b"}},
	} {
		if test.set.Empty() != test.empty {
			t.Errorf("%s: empty is %v", test.is, !test.empty)
		}
		if test.set.Has("", false) || test.set.Has("a", false) {
			t.Errorf("%s: has absent", test.is)
		}
		for _, value := range test.has {
			if !test.set.Has(value, true) {
				t.Errorf("%s: lacks %q", test.is, value)
			}
		}
		for _, value := range test.not {
			if test.set.Has(value, true) {
				t.Errorf("%s: has %q", test.is, value)
			}
		}
	}
}

// drawExpressions draws requirements that are likely to allow few states, among them exclusions
// of all or nearly all spellings of small numbers.
func drawExpressions(t *rapid.T) []expression {
	values := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "b", "Z", "x.y"}),
		rapid.StringMatching(`0{0,3}[0-9]`),
		rapid.Just("10"),
	), 1, 12)
	spelled := rapid.Custom(func(t *rapid.T) []string {
		var all []string
		for _, n := range rapid.SliceOfNDistinct(rapid.Int64Range(0, 10), 1, 3, rapid.ID[int64]).Draw(t, "numbers") {
			all = append(all, spellings(n)...)
		}
		if rapid.Bool().Draw(t, "but one") {
			all = without(all, rapid.IntRange(0, len(all)-1).Draw(t, "one"))
		}
		return all
	})
	one := rapid.Custom(func(t *rapid.T) expression {
		operator := rapid.SampledFrom([]corev1.NodeSelectorOperator{in, notIn, notIn, exists, doesNotExist, gt, lt, gt, lt}).Draw(t, "operator")
		switch operator {
		case in, notIn:
			return expr(operator, rapid.OneOf(values, spelled).Draw(t, "values")...)
		case gt, lt:
			return expr(operator, rapid.StringMatching(`0{0,2}([0-9]|10)`).Draw(t, "bound"))
		}
		return expr(operator)
	})
	return rapid.SliceOfN(one, 0, 6).Draw(t, "expressions")
}

func TestLawC2AgainstOracle(t *testing.T) {
	t.Parallel()
	o := newOracle()
	// No expression drawn lists a spelling of 11, or the word fresh.
	values := []string{"", "a", "b", "Z", "x.y", "fresh", "9223372036854775807", "9223372036854775808", "-1", "+4", "-", tooLong()}
	for n := range int64(12) {
		values = append(values, spellings(n)...)
	}
	universe := o.universe(values...)
	rapid.Check(t, func(t *rapid.T) {
		expressions := drawExpressions(t)
		rs := parseAll(t, expressions...)
		set := requirement.Of(rs...)
		o.check(t, set, universe, expressions...)

		for _, r := range rs { // Of and Matches agree on all legal states
			of := requirement.Of(r)
			for _, s := range universe {
				if s.legal && of.Has(s.value, s.present) != r.Matches(s.value, s.present) {
					t.Fatalf("%v, %q: Of(r).Has and r.Matches disagree", r, s.value)
				}
			}
		}

		shuffled := rapid.Permutation(rs).Draw(t, "shuffled")
		folded := requirement.Of()
		for _, r := range shuffled {
			folded = requirement.Of(r).Intersect(folded)
		}
		o.check(t, folded, universe, expressions...)
	})
}

func TestSetsAreImmutable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := requirement.Of(parseAll(t, drawExpressions(t)...)...), requirement.Of(parseAll(t, drawExpressions(t)...)...)
		before := fmt.Sprintf("%#v %#v", a, b)
		ab := a.Intersect(b)
		joined := fmt.Sprintf("%#v", ab)
		for _, set := range []requirement.Set{a, b, ab} {
			set.Intersect(ab).Intersect(a).Intersect(b).Empty()
			set.Empty()
		}
		if after := fmt.Sprintf("%#v %#v", a, b); after != before {
			t.Fatalf("the operands were %s, and are %s", before, after)
		}
		if after := fmt.Sprintf("%#v", ab); after != joined {
			t.Fatalf("the intersection was %s, and is %s", joined, after)
		}
	})
}

func TestIntersectingAgainAddsNothing(t *testing.T) {
	set := requirement.Of(parseAll(t, expr(notIn, "a", "b", "c"), expr(notIn, "b", "d"))...)
	want := fmt.Sprintf("%#v", set)
	for range 10 {
		set = set.Intersect(set)
	}
	if got := fmt.Sprintf("%#v", set); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSetsMayBeSharedByGoroutines(t *testing.T) {
	rs := parseAll(t, expr(in, spellings(4)...), expr(notIn, "a", "4", "04"), expr(notIn, "b"), expr(gt, "3"), expr(exists))
	shared := []requirement.Set{requirement.Of(rs...), requirement.Of(), {}}
	for _, r := range rs {
		shared = append(shared, requirement.Of(r))
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for _, a := range shared {
				for _, b := range shared {
					a.Intersect(b).Empty()
				}
			}
		}()
	}
	wait.Wait()
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	for name, requirements := range map[string]func(n int) []requirement.Requirement{
		"many NotIn": func(n int) (rs []requirement.Requirement) {
			for i := range n {
				rs = append(rs, parse(t, expr(notIn, fmt.Sprintf("v%d", i*7919%n))))
			}
			return rs
		},
		"many In": func(n int) (rs []requirement.Requirement) {
			for i := range n {
				rs = append(rs, parse(t, expr(in, "a", fmt.Sprintf("v%d", i))))
			}
			return rs
		},
		"one value less in each": func(n int) (rs []requirement.Requirement) {
			var values []string
			for i := range n {
				values = append(values, fmt.Sprintf("v%d", i))
			}
			rs = append(rs, parse(t, expr(in, values...)))
			for _, value := range values {
				rs = append(rs, parse(t, expr(notIn, value)))
			}
			return rs
		},
		"spellings": func(n int) (rs []requirement.Requirement) {
			var values []string
			for i := range int64(n / 60) {
				values = append(values, spellings(1000+i)...)
			}
			return parseAll(t, expr(gt, "999"), expr(lt, fmt.Sprint(1000+n/60)), expr(notIn, values...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			growth.Check(t, 2000, func(n int) func() {
				rs := requirements(n)
				return func() { requirement.Of(rs...).Empty() }
			})
		})
	}
}
