package guard

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestCall(t *testing.T) {
	expired := make(chan time.Time)
	close(expired)
	for name, c := range map[string]struct {
		guard Guard
		call  func()
		want  string // the beginning
		hangs bool
	}{
		"returns": {Guard{Limit: time.Minute}, func() {}, "", false},
		"panics":  {Guard{Limit: time.Minute}, func() { panic("a reason") }, "it panics: a reason in guard.TestCall", false},
		"exits":   {Guard{Limit: time.Minute}, runtime.Goexit, "it ends its goroutine", false},
		"hangs":   {Guard{Limit: time.Minute, Expired: expired}, func() { select {} }, "it does not return within 1m0s", true},
	} {
		got, hangs := c.guard.Call(c.call)
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") || hangs != c.hangs {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, hangs, c.want, c.hangs)
		}
	}
}

func TestPlaceOfNoPanic(t *testing.T) {
	if got := place([]byte("goroutine 1 [running]:\nmain.main()")); got != "" {
		t.Errorf("place = %q", got)
	}
}
