// Package guard calls code that a test does not trust.
package guard

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Guard says how long a call may take.
type Guard struct {
	// Limit is the longest time that a call may take.
	Limit time.Duration

	// Expired ends the wait for a call, instead of a timer of Limit, if it is not nil.
	Expired <-chan time.Time
}

// Call runs a function in a goroutine of its own, and returns what went wrong: "" if the function
// returned, else that it panicked, that it ended its goroutine (as testing.T.FailNow does), or that it
// did not return in time. hung is true in the last case: the goroutine is still there, and can still
// write to what the function was given.
//
// What ends the whole process cannot be caught: os.Exit, a stack overflow, and maps that several
// goroutines write to.
func (g Guard) Call(f func()) (wrong string, hung bool) {
	done := make(chan string, 1)
	go func() {
		result := "it ends its goroutine"
		defer func() { done <- result }()
		defer func() {
			if reason := recover(); reason != nil {
				result = fmt.Sprintf("it panics: %s%s", message.Printable(fmt.Sprint(reason)), place(debug.Stack()))
			}
		}()
		f()
		result = ""
	}()
	expired := g.Expired
	if expired == nil {
		timer := time.NewTimer(g.Limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case wrong := <-done:
		return wrong, false
	case <-expired:
		return fmt.Sprintf("it does not return within %v", g.Limit), true
	}
}

// place returns the name of the function that panicked, as " in x", from a stack.
func place(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "panic(") {
			for _, line := range lines[i+2:] {
				if name, _, ok := strings.Cut(line, "("); ok && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "runtime.") {
					return " in " + name[strings.LastIndex(name, "/")+1:]
				}
			}
		}
	}
	return ""
}
