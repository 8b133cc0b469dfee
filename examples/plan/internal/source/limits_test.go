package source_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// A document at a limit is read, and one beyond is a fault that names the limit; what follows it is
// read.
func TestLimits(t *testing.T) {
	const overhead = len("a: \n")
	nested := func(open, inside, closed string) func(int) string {
		return func(n int) string { return strings.Repeat(open, n) + inside + strings.Repeat(closed, n) + "\n" }
	}
	for _, c := range []struct {
		what string
		most int
		text func(n int) string
	}{
		{"bytes in a document", source.MaxSize, func(n int) string { return "a: " + strings.Repeat("x", n-overhead) + "\n" }},
		{"bytes in a document", source.MaxSize, func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }},
		{"elements in a document", source.MaxElements, func(n int) string { return "a:\n" + strings.Repeat("- x\n", (n-2)/2) + strings.Repeat("\n", n%2) }},
		{"elements in a document", source.MaxElements, func(n int) string { return `{"a":[1` + strings.Repeat(",1", n-3) + "]}" }},
		{"elements in a document", source.MaxElements, func(n int) string {
			var b strings.Builder
			for i := range (n - 3) / 2 {
				fmt.Fprintf(&b, "%d,", i)
			}
			return "a: {" + b.String() + "}\n" // a comma counts twice, since the keys have values
		}},
		{"mappings and lists within each other", source.MaxDepth, func(n int) string { return "a: " + nested("[", "", "]")(n-1) }},
		{"mappings and lists within each other", source.MaxDepth, func(n int) string { return "a:\n  " + nested("- ", "x", "")(n-1) }},
		{"mappings and lists within each other", source.MaxDepth, func(n int) string { return strings.TrimSpace(nested(`{"a":`, "1", "}")(n)) }},
	} {
		for _, n := range []int{c.most, c.most + 1} {
			text := c.text(n)
			objects, faults := 0, 0
			var limit *source.LimitError
			for o, err := range source.Read("f", strings.NewReader(text+map[bool]string{true: "\n"}[text[0] == '{']+"---\nkind: next\n")) {
				switch {
				case o != nil:
					objects++
				case errors.As(err, &limit):
					if limit.What != c.what || limit.Most != c.most {
						t.Errorf("%s: %v", c.what, limit)
					}
					faults++
				default:
					t.Logf("%s, %d: %v", c.what, n, err)
					faults++
				}
			}
			if beyond := n - c.most; objects != 2-beyond || faults != beyond {
				t.Errorf("%d %s: %d objects and %d faults", n, c.what, objects, faults)
			}
		}
	}
}

// What would take the parser quadratic time is refused, and kubectl's decoder is not asked about
// texts of which it may make much more.
func TestWorkIsLimited(t *testing.T) {
	for _, name := range []string{"deep comments", "directives", "bad aliases"} {
		objects, faults := read(t, []byte(hostile[name](1<<20)))
		if len(objects) > 0 || len(faults) != 1 || !faults[0].Lost {
			t.Errorf("%s: %d objects, %v", name, len(objects), faults)
		}
	}
}

// Faults are listed up to their limit, wherever they are, and counted from there.
func TestFaultsAreCounted(t *testing.T) {
	for what, text := range map[string]func(n int) string{
		"repeated keys":     func(n int) string { return "a: 1\n" + strings.Repeat("a: 2\n", n) },
		"values":            func(n int) string { return "a:\n" + strings.Repeat("- .inf\n", n) },
		"documents":         func(n int) string { return strings.Repeat("a: [\n---\n", n) },
		"items":             func(n int) string { return "items:\n" + strings.Repeat("- 1\n", n) },
		"keys of items":     func(n int) string { return "items:\n" + strings.Repeat("- {a: 1, a: 2}\n", n) },
		"repeated in JSON":  func(n int) string { return `{"a": 1` + strings.Repeat(`, "a": 2`, n) + "}" },
		"text beside ---":   func(n int) string { return strings.Repeat("--- {a: 1}\n", n) },
		"things in a List":  func(n int) string { return `{"items": [1` + strings.Repeat(", 2", n-1) + "]}" },
		"keys of documents": func(n int) string { return strings.Repeat("a: 1\na: 2\n---\n", n) },
	} {
		for _, n := range []int{source.MaxFaults, source.MaxFaults + 1, source.MaxFaults + 500} {
			listed, last := 0, ""
			for o, err := range source.Read("f", strings.NewReader(text(n))) {
				var limit *source.LimitError
				if o != nil {
					listed += len(o.Faults)
				} else if listed++; errors.As(err, &limit) {
					listed--
					last = limit.Error()
				}
			}
			want := map[bool]string{true: fmt.Sprintf("more than 1000 faults; %d are not listed; divide it into documents, with --- between them", n-source.MaxFaults)}[n > source.MaxFaults]
			if listed != source.MaxFaults || last != want {
				t.Errorf("%d faults in %s: %d are listed, and %q", n, what, listed, last)
			}
		}
	}
}

// hostile are texts that take much memory or time for their size, of about n bytes.
var hostile = map[string]func(n int) string{
	"mappings":    func(n int) string { return "a: [" + strings.Repeat("{a: 1},", n/7) + "]\n" },
	"numbers":     func(n int) string { return "a: [" + strings.Repeat("1,", n/2) + "]\n" },
	"keys alone":  func(n int) string { return "a: {" + strings.Repeat("a,", n/2) + "}\n" },
	"empty items": func(n int) string { return "a:\n" + strings.Repeat("-\n", n/2) },
	"dashes":      func(n int) string { return "a: 1\nb: what?\nc:\n  " + strings.Repeat("- ", n/2) + "x\n" },
	"dashes, cut": func(n int) string { return "a:\n" + strings.Repeat(" "+strings.Repeat("- ", 4000)+"x\n", n/8000) },
	"brackets":    func(n int) string { return "a: " + strings.Repeat("[", n) },
	"brackets, cut": func(n int) string {
		return "a: [" + strings.Repeat(strings.Repeat("[", 900)+strings.Repeat("]", 900)+",", n/1801) + "]\n"
	},
	"anchors": numbered("- &%d\n"),
	"keys":    numbered("k%d: v\n"),
	"tags":    numbered("- !%d x\n"),
	"aliases": func(n int) string { return "a: &a {b: c}\nd: [" + strings.Repeat("*a,", n/3) + "]\n" },
	"large aliases": func(n int) string {
		return "a: &a " + strings.Repeat("x", n/2) + "\nb: [" + strings.Repeat("*a,", n/6) + "]\n"
	},
	"bad aliases": func(n int) string {
		return "a: &a " + strings.Repeat("x", n/2) + "\nb: [" + strings.Repeat("*a,", n/6) + "]\n...\n@\n"
	},
	"merges": func(n int) string {
		return "a: &a {" + strings.Repeat("k, ", 50) + "}\n" + numbered("m%d: {<<: *a}\n")(n)
	},
	"long scalar":   func(n int) string { return "a: " + strings.Repeat("x ", n/2) + "\n" },
	"long key":      func(n int) string { return "{\"" + strings.Repeat("x", n) + "\": 1}" },
	"comments":      func(n int) string { return "a: 1\n" + strings.Repeat("# b\n", n/4) + "c: 1\n" },
	"more comments": func(n int) string { return "a:\n" + strings.Repeat("- b # c\n", n/8) },
	"deep comments": func(n int) string {
		return "a:\n " + strings.Repeat("- ", 4000) + "x\n" + strings.Repeat(" # a\n\n# b\n\n", n/12)
	},
	"directives":    numbered("%%TAG !%d! tag:x\n"),
	"documents":     func(n int) string { return strings.Repeat("a: 1\n---\n", n/9) },
	"bad documents": func(n int) string { return strings.Repeat("a: [\n---\n", n/9) },
	"blank lines":   func(n int) string { return "a: 1\n" + strings.Repeat("\n", n) + "b: 2\n" },
	"line breaks":   func(n int) string { return "a: '" + strings.Repeat("\u2028", n/3) + "'\n" },
	"JSON":          func(n int) string { return `{"a":[1` + strings.Repeat(`,{"a":1}`, n/8) + "]}" },
	"JSON, keys":    func(n int) string { return `{"a":1` + strings.Repeat(`,"a":1`, n/6) + "}" },
	"JSON, open":    func(n int) string { return strings.Repeat(`{"a":`, n/5) },
	"JSON, deep":    func(n int) string { return strings.Repeat(`{"a":`, n/6) + "1" + strings.Repeat("}", n/6) },
	"JSON, items":   func(n int) string { return `{"items":[1` + strings.Repeat(",1", n/2) + "]}" },
	"JSON, escapes": func(n int) string { return `{"a":1,"a":"` + strings.Repeat(`\/`, n/2) + `"}` },
	"JSON objects":  func(n int) string { return strings.Repeat(`{"a":1}`, n/7) },
}

// numbered repeats a line with a number in it.
func numbered(format string) func(n int) string {
	return func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
}

// readAll reads a text, looks for every fault and for the first objects, and returns how much was read.
func readAll(text string) (objects, faults int) {
	var first []source.Field
	for o, err := range source.Read("f", strings.NewReader(text)) {
		if err != nil {
			faults++
			continue
		}
		if objects++; objects < 100 {
			first = append(first, source.Field{Object: o, Path: "a[0].b"})
		}
	}
	source.Locate(first...)
	return objects, faults
}

var memory = flag.Bool("memory", false, "measure the memory that hostile texts take")

// No text takes more than a gigabyte: none of 32 MiB, and none of the smaller ones that still have
// less elements than there may be. It is measured in processes of their own.
func TestMemory(t *testing.T) {
	if name := os.Getenv("HOSTILE"); name != "" {
		n, err := strconv.Atoi(os.Getenv("BYTES"))
		if err != nil {
			t.Fatal(err)
		}
		readAll(hostile[name](n))
		return
	}
	if !*memory || runtime.GOOS != "linux" {
		t.Skip("takes minutes, and Linux: run with -memory")
	}
	for name := range hostile {
		for n := 1 << 20; n <= source.MaxSize; n *= 2 {
			child := exec.Command(os.Args[0], "-test.run", "^TestMemory$")
			child.Env = append(os.Environ(), "HOSTILE="+name, "BYTES="+strconv.Itoa(n))
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
				continue
			}
			usage := child.ProcessState.SysUsage().(*syscall.Rusage)
			t.Logf("%s: %d bytes take %d MiB and %.1f s", name, n, usage.Maxrss>>10, float64(usage.Utime.Nano())/1e9)
			if usage.Maxrss>>10 > 1<<10 {
				t.Errorf("%s: %d MiB", name, usage.Maxrss>>10)
			}
		}
	}
}

// BenchmarkGrowth shows that no text takes much more than twice the time at twice the size.
func BenchmarkGrowth(b *testing.B) {
	for name, text := range hostile {
		for _, n := range []int{1 << 18, 1 << 19, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				s := text(n)
				defer cpu(b)()
				for range b.N {
					readAll(s)
				}
			})
		}
	}
}
