package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// The forms that continuous integration systems read.

// at returns the first place of a problem.
func (p *problem) at() place {
	if len(p.Places) == 0 {
		return place{}
	}
	return p.Places[0]
}

// compare orders places by file, line and column.
func (p place) compare(q place) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// String returns file:line:column, without the parts that are not known.
func (p place) String() string {
	text := p.File
	for _, n := range []int{p.Line, p.Column} {
		if n > 0 {
			text += fmt.Sprintf(":%d", n)
		}
	}
	return text
}

// subject names the operation and the field of a problem.
func (p *problem) subject() string {
	switch {
	case p.Operation == nil:
		return p.Field
	case p.Field == "":
		return p.Operation.String()
	}
	return p.Operation.String() + ": " + p.Field
}

// text is the message of a problem with its subject.
func (p *problem) text() string {
	if subject := p.subject(); subject != "" {
		return subject + ": " + p.Message
	}
	return p.Message
}

// printLines prints one line for each problem, as compilers do, in the order of the files and lines.
func printLines(w io.Writer, r *report) error {
	out := errorWriter{w: w}
	problems := slices.Clone(r.Problems)
	slices.SortStableFunc(problems, func(a, b problem) int { return a.at().compare(b.at()) })
	for i := range problems {
		p := &problems[i]
		out.printf("%s: %s %s: %s\n", printable(p.at().String()), strings.ToLower(string(p.Severity)), p.Code, printable(p.text()))
	}
	return out.err
}

// printGitHub prints workflow commands, which GitHub shows as annotations: errors first, since it
// shows only the first ten of a step.
func printGitHub(w io.Writer, r *report) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	out := errorWriter{w: w}
	problems := slices.Clone(r.Problems)
	slices.SortStableFunc(problems, func(a, b problem) int { return cmp.Compare(a.Severity, b.Severity) })
	for i := range problems {
		p := &problems[i]
		at := p.at()
		out.printf("::%s file=%s,line=%d,col=%d,title=%s::%s\n", strings.ToLower(string(p.Severity)),
			property.Replace(printable(at.File)), max(at.Line, 1), max(at.Column, 1), p.Code, data.Replace(printable(p.text())))
	}
	for _, note := range r.Notes {
		out.printf("::notice::%s\n", note)
	}
	return out.err
}

// printMarkdown prints a table of problems, for the summary of a step, which GitHub limits to a
// megabyte.
func printMarkdown(w io.Writer, r *report, quiet bool) error {
	const most = 900 << 10
	special := regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~$@&!]|://")
	cell := func(text string) string { return special.ReplaceAllString(printable(text), `\$0`) }
	if quiet && len(r.Problems) == 0 {
		return nil
	}
	out, size := errorWriter{w: w}, 0
	out.printf("**%s**\n", strings.ReplaceAll(r.summary(), "\n", "**\n**"))
	for _, note := range r.Notes {
		out.printf("\n%s\n", note)
	}
	if len(r.Problems) > 0 {
		out.printf("\n| | problem | where | what |\n|---|---|---|---|\n")
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		mark := "⚠️ warning"
		if p.Severity == dataflow.SeverityError {
			mark = "❌ error"
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", mark, p.Code, cell(p.at().String()), cell(p.text()))
		if size += len(row); size > most {
			out.printf("| | | | %s not listed |\n", count(len(r.Problems)-i, "more problem"))
			break
		}
		out.printf("%s", row)
	}
	return out.err
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
func printJUnit(w io.Writer, r *report, warningsFail bool) error {
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
	out := errorWriter{w: w}
	out.write([]byte(xml.Header))
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	out.write(text, []byte("\n"))
	return out.err
}

// printSARIF prints the problems as SARIF 2.1.0, which GitHub's code scanning reads.
func printSARIF(w io.Writer, r *report) error {
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
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func sarifLocation(p *problem, at place) *sarif.Location {
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
