package main

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// The forms that continuous integration systems read.

// printLines prints one line for each problem, as compilers do, in the order of the files and lines.
func printLines(w *bufio.Writer, r *report) {
	problems := slices.Clone(r.Problems)
	slices.SortStableFunc(problems, func(a, b problem) int { return a.at().Compare(b.at()) })
	for i := range problems {
		p := &problems[i]
		fmt.Fprintf(w, "%s: %s %s: %s\n", printable(p.at().String()), strings.ToLower(string(p.Severity)), p.Code, printable(p.text()))
	}
}

// printGitHub prints workflow commands, which GitHub shows as annotations: errors first, since it
// shows only the first ten of a step.
func printGitHub(w *bufio.Writer, r *report) {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, p := range r.worstFirst() {
		at := p.at()
		fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", strings.ToLower(string(p.Severity)),
			property.Replace(printable(at.File)), max(at.Line, 1), max(at.Column, 1), p.Code, data.Replace(printable(p.text())))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "::notice::%s\n", note)
	}
}

// printMarkdown prints a table of problems, for the summary of a step, which GitHub limits to a
// megabyte.
func printMarkdown(w *bufio.Writer, r *report, quiet bool) {
	const most = 900 << 10
	special := regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~$@&!]|://")
	cell := func(text string) string { return special.ReplaceAllString(printable(text), `\$0`) }
	if quiet && len(r.Problems) == 0 {
		return
	}
	size := 0
	fmt.Fprintf(w, "**%s**\n", strings.ReplaceAll(r.summary(), "\n", "**\n**"))
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(w, "\n| | problem | where | what |\n|---|---|---|---|\n")
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		mark := "⚠️ warning"
		if p.Severity == dataflow.SeverityError {
			mark = "❌ error"
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", mark, p.Code, cell(p.at().String()), cell(p.text()))
		if size += len(row); size > most {
			fmt.Fprintf(w, "| | | | %s not listed |\n", count(len(r.Problems)-i, "more problem"))
			break
		}
		fmt.Fprintf(w, "%s", row)
	}
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Failure   *junitFailure `xml:"failure,omitempty"`
	Output    string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// printJUnit prints a test case for each operation, and for each problem of no operation. It fails with
// its errors, and with its warnings if they make the exit status 1; else these are its output.
func printJUnit(w *bufio.Writer, r *report, warningsFail bool) error {
	suite := junitSuite{Name: "plan"}
	byOperation, flows := map[dataflow.Ref]*junitCase{}, map[dataflow.Ref]bool{}
	suite.Cases = make([]junitCase, 0, len(r.Operations)+len(r.Problems))
	for i := range r.Operations {
		if ref := r.Operations[i].Ref; !flows[ref] {
			flows[ref] = true
			suite.Cases = append(suite.Cases, junitCase{Name: printable(ref.String()), Classname: fmt.Sprintf("flow %d", r.Operations[i].Flow)})
			byOperation[ref] = &suite.Cases[len(suite.Cases)-1]
		}
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		var c *junitCase
		if p.Operation != nil {
			c = byOperation[*p.Operation]
		}
		if c == nil {
			suite.Cases = append(suite.Cases, junitCase{Name: printable(cmp.Or(p.at().File, "input")), Classname: "input"})
			c = &suite.Cases[len(suite.Cases)-1]
		}
		line := printable(fmt.Sprintf("%s: %s: %s", p.at(), p.Code, p.text())) + "\n"
		switch {
		case p.Severity != dataflow.SeverityError && !warningsFail:
			c.Output += line
		case c.Failure == nil:
			c.Failure = &junitFailure{Message: printable(p.Message), Type: string(p.Code), Text: line}
		default:
			c.Failure.Text += line
		}
	}
	for i := range suite.Cases {
		if suite.Cases[i].Failure != nil {
			suite.Failures++
		}
	}
	suite.Tests = len(suite.Cases)
	text, err := xml.MarshalIndent(suite, "", "  ")
	fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

// printSARIF prints the problems as SARIF 2.1.0, which GitHub's code scanning reads.
func printSARIF(w *bufio.Writer, r *report) error {
	log, err := sarif.New(sarif.Version210)
	if err != nil {
		return err
	}
	log.Schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	run := sarif.NewRunWithInformationURI("plan", home).WithColumnKind("unicodeCodePoints")
	run.Tool.Driver.WithVersion(version())
	table := codeTable()
	for i := range r.Problems {
		p := &r.Problems[i]
		meaning := table[p.Code]
		short, _, _ := strings.Cut(meaning, " Example: ")
		run.AddRule(string(p.Code)).WithName(string(p.Code)).WithDescription(short).WithTextHelp(meaning).WithHelpURI(home + "/blob/main/CONTRIBUTING.md#problem-codes")
		result := run.CreateResultForRule(string(p.Code)).WithLevel(strings.ToLower(string(p.Severity))).WithMessage(sarif.NewTextMessage(printable(p.text())))
		for _, at := range p.Places {
			result.AddLocation(sarifLocation(p, at))
		}
	}
	if len(r.Notes) > 0 {
		invocation := run.AddInvocation(true)
		for _, note := range r.Notes {
			invocation.AddTToolExecutionNotification(sarif.NewNotification().WithLevel("note").WithTextMessage(note))
		}
	}
	log.AddRun(run)
	text, err := encodeJSON(log, "")
	w.Write(text)
	return err
}

func sarifLocation(p *problem, at source.Position) *sarif.Location {
	physical := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation((&url.URL{Path: at.File}).String()))
	if at.Line > 0 {
		region := sarif.NewRegion().WithStartLine(at.Line)
		if at.Column > 0 {
			region.WithStartColumn(at.Column)
		}
		physical.WithRegion(region)
	}
	location := sarif.NewLocationWithPhysicalLocation(physical)
	if p.Operation != nil {
		location.LogicalLocations = []*sarif.LogicalLocation{sarif.NewLogicalLocation().WithFullyQualifiedName(printable(p.Operation.String())).WithKind("object")}
	}
	return location
}
