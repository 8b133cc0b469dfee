package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// scheduleFault says why an API server rejects a CronJob with a schedule, or nothing. The syntax is
// that of ParseStandard of github.com/robfig/cron/v3, without a time zone.
func scheduleFault(schedule string) string {
	if strings.Contains(schedule, "TZ") {
		return "a CronJob accepts no TZ in a schedule"
	}
	if interval, ok := strings.CutPrefix(schedule, "@every "); ok {
		if _, err := time.ParseDuration(interval); err != nil {
			return fmt.Sprintf("%q is not a duration such as 1h30m", message.Excerpt(interval))
		}
		return ""
	}
	if strings.HasPrefix(schedule, "@") {
		named := []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
		if !slices.Contains(named, schedule) {
			return fmt.Sprintf("the named ones are %s, and @every with a duration", strings.Join(named, ", "))
		}
		return ""
	}
	parts := strings.Fields(schedule)
	units := []timeUnit{
		{"minutes", 0, 59, nil}, {"hours", 0, 23, nil}, {"days of a month", 1, 31, nil},
		{"months", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{"days of a week", 0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	}
	if len(parts) != len(units) {
		return fmt.Sprintf("it has %d parts", len(parts))
	}
	for i, unit := range units {
		for _, item := range strings.Split(parts[i], ",") {
			if item != "" && !unit.accepts(item) {
				return fmt.Sprintf("%q is not among the %s, %d to %d", message.Excerpt(item), unit.name, unit.first, unit.last)
			}
		}
	}
	return ""
}

// timeUnit is what a part of a schedule counts.
type timeUnit struct {
	name        string
	first, last int
	names       []string // in lower case, that of first at first
}

// accepts reports whether an item of a part is "*", "?", a number, or a range of numbers, with or
// without a step.
func (u timeUnit) accepts(item string) bool {
	span, step, hasStep := strings.Cut(item, "/")
	if n, err := strconv.Atoi(step); hasStep && (err != nil || n < 1) {
		return false
	}
	first, last, isRange := strings.Cut(span, "-")
	if first == "*" || first == "?" {
		return true // whatever its last one is
	}
	from, ok := u.number(first)
	to, lastOK := from, ok
	if isRange {
		to, lastOK = u.number(last)
	}
	return ok && lastOK && u.first <= from && from <= to && to <= u.last
}

// number returns the number of a name, or that of digits.
func (u timeUnit) number(s string) (n int, ok bool) {
	if i := slices.Index(u.names, strings.ToLower(s)); i >= 0 {
		return u.first + i, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
