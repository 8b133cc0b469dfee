//go:build browser

package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The tests with the build tag browser need Chromium, and those of Mermaid its package from
// npm (flag -mermaid). The step browser of .ci/run installs both.

// tab is a tab of Chromium that notes what a page does.
type tab struct {
	context.Context
	t *testing.T

	lock     sync.Mutex
	requests []string // the addresses that it asked for
	errors   []string // in the console
}

// newTab starts Chromium.
func newTab(t *testing.T) *tab {
	t.Helper()
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(closeTab)
	ctx, expire := context.WithTimeout(ctx, 20*time.Minute)
	t.Cleanup(expire)
	b := &tab{Context: ctx, t: t}
	chromedp.ListenTarget(ctx, b.note)
	b.run(network.Enable(), log.Enable(), runtime.Enable())
	return b
}

func (b *tab) note(event any) {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			b.errors = append(b.errors, string(e.Type))
		}
	case *log.EventEntryAdded:
		b.errors = append(b.errors, e.Entry.Text)
	}
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// open opens a file, and fails if it asks for anything else.
func (b *tab) open(file string) {
	b.t.Helper()
	b.requests = nil
	b.run(chromedp.Navigate("file://" + file))
}

// quiet fails if the page asked for anything but itself, or had an error.
func (b *tab) quiet(name string) {
	b.t.Helper()
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.requests) != 1 || !strings.HasPrefix(b.requests[0], "file://") {
		b.t.Errorf("%s asks for %q", name, b.requests)
	}
	if len(b.errors) > 0 {
		b.t.Errorf("%s: errors in the console: %q", name, b.errors)
	}
	b.errors = nil
}

// show sets the width of the window, and the colours that the user prefers.
func (b *tab) show(width int64, scheme string) {
	b.t.Helper()
	b.run(emulation.SetDeviceMetricsOverride(width, 800, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// draw writes the picture of an input to a file.
func draw(t *testing.T, args ...string) (file string, size int) {
	t.Helper()
	_, stdout, stderr := plan("", append(args, "-o", "html")...)
	if stderr != "" {
		t.Fatal(stderr)
	}
	file = writeSample(t, t.TempDir(), "picture.html", stdout)
	return file, len(stdout)
}

// script reads a function of the checks that run in the page.
func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/browser/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
