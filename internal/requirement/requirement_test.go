package requirement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

const (
	in           = corev1.NodeSelectorOpIn
	notIn        = corev1.NodeSelectorOpNotIn
	exists       = corev1.NodeSelectorOpExists
	doesNotExist = corev1.NodeSelectorOpDoesNotExist
	gt           = corev1.NodeSelectorOpGt
	lt           = corev1.NodeSelectorOpLt
)

type expression = corev1.NodeSelectorRequirement

// fataler is a *testing.T, *testing.B or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func expr(operator corev1.NodeSelectorOperator, values ...string) expression {
	return expression{Key: "k", Operator: operator, Values: values}
}

func nameExpr(operator corev1.NodeSelectorOperator, values ...string) expression {
	return expression{Key: "metadata.name", Operator: operator, Values: values}
}

func parse(t fataler, e expression) requirement.Requirement {
	t.Helper()
	r, errs := requirement.Parse(e, nil)
	if len(errs) > 0 {
		t.Fatalf("Parse(%v): %v", e, errs)
	}
	return r
}

func parseAll(t fataler, expressions ...expression) []requirement.Requirement {
	t.Helper()
	var rs []requirement.Requirement
	for _, e := range expressions {
		rs = append(rs, parse(t, e))
	}
	return rs
}

func parseField(t fataler, e expression) requirement.Requirement {
	t.Helper()
	r, errs := requirement.ParseField(e, nil)
	if len(errs) > 0 {
		t.Fatalf("ParseField(%v): %v", e, errs)
	}
	return r
}

// longest and tooLong return spellings of 7 at and above the limit of a label value.
func longest() string { return strings.Repeat("0", 62) + "7" }
func tooLong() string { return strings.Repeat("0", 63) + "7" }

func TestParseNamesEveryFault(t *testing.T) {
	const integer = `must be an integer from 0 to 9223372036854775807 for operator %s, with at most 63 digits and without a sign, because it must also be a label value`
	const six = `supported values: "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"`
	for _, test := range []struct {
		e    expression
		want []string // the beginning of each fault; none if e is accepted
	}{
		{e: expr(in, "a", "", "a.b_c-d", "9", "a")},
		{e: expr(notIn, "")},
		{e: expr(exists)},
		{e: expr(doesNotExist)},
		{e: expression{Key: "k", Operator: exists, Values: []string{}}},
		{e: expr(gt, "0")},
		{e: expr(lt, "007")},
		{e: expr(gt, longest())},
		{e: expr(gt, "9223372036854775807")},
		{e: expr(gt, "9223372036854775808")},
		{e: expr(lt, "4a")},
		{e: expr(gt, "16.5")},
		{e: expr(lt, "1_0")},
		{e: expr(gt, "")},

		{expr(in), []string{`e.values: Required value: operator In needs at least one value`}},
		{expr(notIn), []string{`e.values: Required value: operator NotIn needs at least one value`}},
		{expr(in, "a", "-", "b", "x y"), []string{
			`e.values[1]: Invalid value: "-": a valid label must be an empty string or consist of`,
			`e.values[3]: Invalid value: "x y": a valid label must be an empty string or consist of`,
		}},
		{expr(notIn, tooLong()), []string{`e.values[0]: Invalid value: "` + tooLong() + `": must be no more than 63`}},
		{expr(exists, "a"), []string{`e.values: Invalid value: "a": must be empty for operator Exists`}},
		{expr(doesNotExist, ""), []string{`e.values: Invalid value: "": must be empty for operator DoesNotExist`}},
		{expr(gt), []string{`e.values: Required value: must be exactly one integer for operator Gt`}},
		{expr(lt, "1", "2"), []string{`e.values: Invalid value: "1, 2": must be exactly one integer for operator Lt`}},
		{expr(gt, "-1"), []string{`e.values[0]: Invalid value: "-1": ` + fmt.Sprintf(integer, "Gt")}},
		{expr(lt, "+1"), []string{`e.values[0]: Invalid value: "+1": ` + fmt.Sprintf(integer, "Lt")}},
		{expr(gt, tooLong()), []string{`e.values[0]: Invalid value: "` + tooLong() + `": `}},
		{expr("", "a"), []string{`e.operator: Unsupported value: "": ` + six}},
		{expr("notin", "-"), []string{`e.operator: Unsupported value: "notin": ` + six + `; typo of "NotIn"?`}},
		{expression{Operator: exists}, []string{`e.key: Invalid value: "": not a label key: name part must be non-empty`}},
		{expression{Key: "a/b/c", Operator: "=", Values: []string{"-"}}, []string{
			`e.key: Invalid value: "a/b/c": not a label key: a `, `e.operator: Unsupported value: "=": ` + six,
		}},
		{expression{Key: "A/b", Operator: in}, []string{`e.key: Invalid value: "A/b": not a label key: prefix part`, `e.values: Required value`}},
	} {
		r, errs := requirement.Parse(test.e, field.NewPath("e"))
		checkErrors(t, test.e, r, errs, test.want)
	}
}

func TestParseFieldNamesEveryFault(t *testing.T) {
	for _, test := range []struct {
		e    expression
		want []string
	}{
		{e: nameExpr(in, "n1")},
		{e: nameExpr(notIn, "ip-10-0-0-1.eu.internal")},
		{e: nameExpr(in, strings.Repeat("a", 253))},

		{nameExpr(in), []string{`e.values: Required value: must be exactly one node name`}},
		{nameExpr(in, "a", "b"), []string{`e.values: Invalid value: "a, b": must be exactly one node name`}},
		{nameExpr(in, ""), []string{`e.values[0]: Invalid value: "": must be a node name: a lowercase RFC 1123 subdomain`}},
		{nameExpr(notIn, "N1"), []string{`e.values[0]: Invalid value: "N1": must be a node name: a lowercase RFC 1123 subdomain`}},
		{nameExpr(notIn, strings.Repeat("a", 254)), []string{`e.values[0]: Invalid value: "aaa`}},
		{nameExpr(exists), []string{`e.operator: Unsupported value: "Exists": supported values: "In", "NotIn"`, `e.values: Required`}},
		{expression{Key: "metadata.nam", Operator: gt, Values: []string{"1"}}, []string{
			`e.key: Unsupported value: "metadata.nam": supported values: "metadata.name"; typo of "metadata.name"?`,
			`e.operator: Unsupported value: "Gt"`,
		}},
	} {
		r, errs := requirement.ParseField(test.e, field.NewPath("e"))
		checkErrors(t, test.e, r, errs, test.want)
	}
}

func checkErrors(t *testing.T, e expression, r requirement.Requirement, errs field.ErrorList, want []string) {
	t.Helper()
	ok := len(errs) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.HasPrefix(errs[i].Error(), want[i])
	}
	if !ok {
		t.Errorf("parsing %q: got errors %q, want %q", e, errs, want)
	}
	if len(errs) > 0 && (r.Key() != "" || r.Matches("", true) || r.Matches("", false) || !requirement.Of(r).Empty()) {
		t.Errorf("parsing %q: errors, but not the zero Requirement", e)
	}
}

func TestLawG1MessagesAreShortAndQuoted(t *testing.T) {
	long := strings.Repeat("\x1b\u202e", 1<<18)
	many := slices.Repeat([]string{long}, 3)
	for _, e := range []expression{
		{Key: long, Operator: exists}, expr(in, long), expr(exists, long), expr(exists, many...), expr(gt, long), expr(gt, many...),
		expr(corev1.NodeSelectorOperator(long)), nameExpr(in, long), nameExpr(in, many...), {Key: long, Operator: in, Values: []string{"a"}},
	} {
		_, faults := requirement.Parse(e, field.NewPath("e"))
		_, ofField := requirement.ParseField(e, field.NewPath("e"))
		for _, fault := range append(faults, ofField...) {
			if text := fault.Error(); len(text) > message.Limit || strings.ContainsAny(text, "\x1b\u202e") {
				t.Errorf("%d bytes: %q", len(text), text)
			}
		}
	}
}

func TestString(t *testing.T) {
	for want, r := range map[string]requirement.Requirement{
		`k In [a, b]`:             parse(t, expr(in, "b", "a", "b")),
		`k In [""]`:               parse(t, expr(in, "")),
		`k NotIn ["", a]`:         parse(t, expr(notIn, "a", "")),
		`k Exists`:                parse(t, expr(exists)),
		`k DoesNotExist`:          parse(t, expr(doesNotExist)),
		`k Gt 8`:                  parse(t, expr(gt, "8")),
		`k Lt 8`:                  parse(t, expr(lt, "08")),
		`k Gt 16.5`:               parse(t, expr(gt, "16.5")),
		`k Gt ""`:                 parse(t, expr(gt, "")),
		``:                        {},
		`metadata.name NotIn [a]`: parseField(t, nameExpr(notIn, "a")),
	} {
		if got := r.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 50)))
	}
	r := parse(t, expr(in, many...))
	if got := r.String(); len(got) > 300 || !strings.HasSuffix(got, ", and 996 more]") {
		t.Errorf("of many values: %s", got)
	}
}

func TestKeyOfLabelAndOfField(t *testing.T) {
	label, name := parse(t, nameExpr(in, "a")), parseField(t, nameExpr(in, "a"))
	if label.Key() != "metadata.name" || label.IsField() {
		t.Error("a label with the key metadata.name is not a label")
	}
	if name.Key() != "metadata.name" || !name.IsField() {
		t.Error("metadata.name of matchFields is not a field")
	}
	if label.CompareSubject(&name) != -1 || name.CompareSubject(&label) != 1 || name.CompareSubject(&name) != 0 {
		t.Error("a field does not come after a label")
	}
}

// Each row holds spellings of one requirement. Rows hold different requirements.
func TestAccessors(t *testing.T) {
	rows := []struct {
		spellings []requirement.Requirement
		exists    bool
		listed    []string
		excluded  bool
	}{
		{parseAll(t, expr(in, "a", "b"), expr(in, "b", "a", "b")), false, []string{"a", "b"}, false},
		{parseAll(t, expr(in, "a")), false, []string{"a"}, false},
		{parseAll(t, expr(in, "")), false, []string{""}, false},
		{parseAll(t, expr(notIn, "a"), expr(notIn, "a", "a")), false, []string{"a"}, true},
		{parseAll(t, expr(exists)), true, nil, false},
		{append(parseAll(t, expr(doesNotExist)), requirement.Absent("k")), false, nil, false},
		{parseAll(t, expr(gt, "3"), expr(gt, "03")), false, nil, false},
		{parseAll(t, expr(gt, "4")), false, nil, false},
		{parseAll(t, expr(lt, "3")), false, nil, false},
		{parseAll(t, expr(gt, "0")), false, nil, false},
		{parseAll(t, expr(gt, "")), false, nil, false},
		{parseAll(t, expr(gt, "word")), false, nil, false},
		{parseAll(t, expr(lt, "word")), false, nil, false},
		{parseAll(t, expression{Key: "l", Operator: exists}), true, nil, false},
		{parseAll(t, nameExpr(in, "a")), false, []string{"a"}, false},
		{[]requirement.Requirement{parseField(t, nameExpr(in, "a"))}, false, []string{"a"}, false},
	}
	for i, row := range rows {
		for _, r := range row.spellings {
			if r.IsExists() != row.exists {
				t.Errorf("%s: IsExists is %v", r, r.IsExists())
			}
			if values, excluded, ok := r.Listed(); !slices.Equal(values, row.listed) || excluded != row.excluded || ok != (row.listed != nil) {
				t.Errorf("%s: Listed is %q, %v, %v", r, values, excluded, ok)
			}
			again := parse
			if r.IsField() {
				again = parseField
			}
			if written := again(t, r.Expression()); written.String() != r.String() {
				t.Errorf("%s is written as %s", r, written)
			}
			for j, other := range rows {
				for _, o := range other.spellings {
					if (r.Compare(&o) == 0) != (i == j) || r.Compare(&o) != -o.Compare(&r) {
						t.Errorf("%s and %s: Compare is %v, and %v", r, o, r.Compare(&o), o.Compare(&r))
					}
				}
			}
		}
	}
}

func TestParseCopiesItsInput(t *testing.T) {
	for _, values := range [][]string{{"b", "a"}, {"b", "a", "b", "c", "i", "h", "g", "f", "e", "d"}} {
		given := slices.Clone(values)
		r := parse(t, expr(in, given...))
		if !slices.Equal(given, values) {
			t.Errorf("Parse wrote to its input: %q", given)
		}
		given[0] = "changed"
		if r.Matches("changed", true) || !r.Matches("b", true) {
			t.Error("the requirement shares memory with its input")
		}
	}
	given := []string{"a"}
	r := parseField(t, nameExpr(in, given...))
	given[0] = "changed"
	if !r.Matches("a", true) {
		t.Error("the requirement on a field shares memory with its input")
	}
	bad := []string{"a", "b"}
	_, errs := requirement.Parse(expr(exists, bad...), nil)
	before := errs.ToAggregate().Error()
	if bad[0] = "changed"; errs.ToAggregate().Error() != before {
		t.Error("the error shares memory with the input")
	}
}

// awkward returns label values and other strings at the edges of the definitions.
func awkward() []string {
	return []string{
		"", "a", "A", "z", "3", "4", "04", "004", "5", "007", "+7", "-3", "-0", "+0", "+", "-", "--1", "+-1", " 4", "4 ", "4a", "0x4", "1e3", "1_0", "４",
		"0", "00", "-1", "9223372036854775806", "9223372036854775807", "9223372036854775808", "+9223372036854775807", "-9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "18446744073709551620", "92233720368547758070", "09223372036854775807", longest(), tooLong(), "\x00", "\xff",
	}
}

func TestLawX1MatchesOfLabels(t *testing.T) {
	for _, test := range []struct {
		e       expression
		matches []string
		not     []string
		absent  bool
	}{
		{expr(in, "a", "b"), []string{"a", "b"}, []string{"", "c", "A", "ab"}, false},
		{expr(in, ""), []string{""}, []string{"a"}, false},
		{expr(in, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"), []string{"a", "e", "j"}, []string{"", "aa", "k"}, false},
		{expr(notIn, "a", "b"), []string{"", "c", "-not-a-label-value-"}, []string{"a", "b"}, true},
		{expr(exists), []string{"", "a", "-"}, nil, false},
		{expr(doesNotExist), nil, []string{"", "a"}, true},
		{expr(gt, "5"), []string{"6", "007", "+7", "9223372036854775807", tooLong()}, []string{"", "a", "5", "-7", "-", "+", "9223372036854775808"}, false},
		{expr(lt, "5"), []string{"4", "-3", "004", "-9223372036854775808"}, []string{"", "a", "5", "6", "-9223372036854775809"}, false},
		{expr(lt, "0"), []string{"-1"}, []string{"0", "-0"}, false},
		{expr(gt, "9223372036854775807"), nil, []string{"9223372036854775807", "9223372036854775808"}, false},
		{expr(gt, "9223372036854775808"), nil, []string{"1", "9223372036854775808", "9223372036854775809"}, false},
		{expr(gt, "word"), nil, []string{"1", "word", "x", ""}, false},
		{expr(lt, "16.5"), nil, []string{"1", "16", "16.5", ""}, false},
		{expr(lt, ""), nil, []string{"-1", "0", ""}, false},
	} {
		r := parse(t, test.e)
		for _, value := range test.matches {
			if !r.Matches(value, true) {
				t.Errorf("%v does not match %q", r, value)
			}
		}
		for _, value := range test.not {
			if r.Matches(value, true) {
				t.Errorf("%v matches %q", r, value)
			}
		}
		if r.Matches("", false) != test.absent {
			t.Errorf("%v: absent matches: %v", r, !test.absent)
		}
		if r.Matches(test.e.Key, false) != test.absent || len(test.matches) > 0 && r.Matches(test.matches[0], false) != test.absent {
			t.Errorf("%v: a value has an effect although the label is absent", r)
		}
	}
}

// selectionOperator returns the operator that kube-scheduler uses.
func selectionOperator(operator corev1.NodeSelectorOperator) selection.Operator {
	return map[corev1.NodeSelectorOperator]selection.Operator{
		in: selection.In, notIn: selection.NotIn, exists: selection.Exists, doesNotExist: selection.DoesNotExist,
		gt: selection.GreaterThan, lt: selection.LessThan,
	}[operator]
}

// checkAgainstApimachinery compares Parse and Matches with labels.NewRequirement, which
// kube-scheduler calls. They differ only for Gt and Lt of a label value that is not an integer:
// kube-apiserver accepts it, and kube-scheduler matches no node because NewRequirement fails.
func checkAgainstApimachinery(t fataler, e expression, values []string) {
	t.Helper()
	theirs, err := labels.NewRequirement(e.Key, selectionOperator(e.Operator), slices.Clone(e.Values))
	ours, faults := requirement.Parse(e, nil)
	integer := e
	if (e.Operator == gt || e.Operator == lt) && len(e.Values) == 1 && len(validation.IsValidLabelValue(e.Values[0])) == 0 {
		integer.Values = []string{"1"}
	}
	_, malformed := labels.NewRequirement(integer.Key, selectionOperator(integer.Operator), integer.Values)
	if (malformed != nil) != (len(faults) > 0) {
		t.Fatalf("Parse(%q): %v, want %v as in apimachinery", e, faults, malformed)
	}
	matches := func(set labels.Set) bool { return err == nil && theirs.Matches(set) }
	if got, want := ours.Matches("", false), matches(labels.Set{}); got != want {
		t.Fatalf("%q, absent: got %v, want %v as in apimachinery", e, got, want)
	}
	for _, value := range values {
		if got, want := ours.Matches(value, true), matches(labels.Set{e.Key: value}); got != want {
			t.Fatalf("%q, %q: got %v, want %v as in apimachinery", e, value, got, want)
		}
	}
}

func TestLawX1AgreesWithApimachinery(t *testing.T) {
	values := awkward()
	operators := []corev1.NodeSelectorOperator{in, notIn, exists, doesNotExist, gt, lt, "", "in", "="}
	for _, operator := range operators {
		checkAgainstApimachinery(t, expr(operator), values)
		for _, a := range values {
			checkAgainstApimachinery(t, expr(operator, a), values)
			checkAgainstApimachinery(t, expr(operator, a, "3"), values)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.SampledFrom(values),
			rapid.StringMatching(`[-+]?0{0,3}[0-9]{0,20}`),
			rapid.StringOfN(rapid.SampledFrom([]rune("aZ09-_. +é")), 0, 5, -1),
		)
		e := expression{
			Key:      rapid.SampledFrom([]string{"k", "k", "k", "a.b/k", "", "/k", "K_"}).Draw(t, "key"),
			Operator: rapid.SampledFrom(operators).Draw(t, "operator"),
			Values:   rapid.SliceOfN(value, 0, 12).Draw(t, "values"),
		}
		checkAgainstApimachinery(t, e, append(rapid.SliceOfN(value, 0, 5).Draw(t, "matched"), e.Values...))
	})
}

func TestLawX1FieldsAgreeWithApimachinery(t *testing.T) {
	names := []string{"n1", "n2", "n1.x", strings.Repeat("a", 253), "N1", ""}
	for _, value := range names {
		for _, operator := range []corev1.NodeSelectorOperator{in, notIn} {
			r, errs := requirement.ParseField(nameExpr(operator, value), nil)
			if valid := len(validation.IsDNS1123Subdomain(value)) == 0; valid != (len(errs) == 0) {
				t.Errorf("%q: got %v; valid in apimachinery: %v", value, errs, valid)
			}
			if len(errs) > 0 {
				continue
			}
			theirs := fields.OneTermEqualSelector("metadata.name", value)
			if operator == notIn {
				theirs = fields.OneTermNotEqualSelector("metadata.name", value)
			}
			for _, n := range names[:len(names)-1] {
				if got, want := r.Matches(n, true), theirs.Matches(fields.Set{"metadata.name": n}); got != want {
					t.Errorf("%v, %q: got %v, want %v as in apimachinery", r, n, got, want)
				}
			}
			if !r.Matches("", false) {
				t.Errorf("%v does not match a node without a name, as kube-scheduler does", r)
			}
		}
	}
}

func FuzzLawX1Matches(f *testing.F) {
	for _, value := range awkward() {
		f.Add("5", value)
		f.Add(value, "7")
	}
	f.Fuzz(func(t *testing.T, bound, value string) {
		for _, operator := range []corev1.NodeSelectorOperator{in, notIn, gt, lt} {
			checkAgainstApimachinery(t, expr(operator, bound), []string{value})
		}
	})
}

// matchCases returns requirements and values for measuring the cost of Matches.
func matchCases(t fataler) map[string]struct {
	r     requirement.Requirement
	value string
} {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("zone-%03d", i))
	}
	type matchCase = struct {
		r     requirement.Requirement
		value string
	}
	return map[string]matchCase{
		"In/one":         {parse(t, expr(in, "zone-050")), "zone-050"},
		"In/few":         {parse(t, expr(in, many[:4]...)), "zone-003"},
		"In/many":        {parse(t, expr(in, many...)), "zone-050"},
		"NotIn/few":      {parse(t, expr(notIn, many[:4]...)), "zone-050"},
		"NotIn/many":     {parse(t, expr(notIn, many...)), "zone-0505"},
		"Gt/integer":     {parse(t, expr(gt, "1000")), "123456"},
		"Gt/not-integer": {parse(t, expr(gt, "1000")), "a-value-that-is-no-number"},
		"Exists":         {parse(t, expr(exists)), "a"},
	}
}

func TestMatchesDoesNotAllocate(t *testing.T) {
	for label, c := range matchCases(t) {
		if n := testing.AllocsPerRun(100, func() { c.r.Matches(c.value, true); c.r.Matches("", false) }); n != 0 {
			t.Errorf("%s: %v allocations", label, n)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	for label, c := range matchCases(b) {
		b.Run(label, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				c.r.Matches(c.value, true)
			}
		})
	}
}
