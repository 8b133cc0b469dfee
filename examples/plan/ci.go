package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"

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

// printLines prints one line for each problem, as compilers do.
func printLines(w io.Writer, r *report) error {
	out := errorWriter{w: w}
	for i := range r.Problems {
		p := &r.Problems[i]
		out.printf("%s: %s %s: %s\n", printable(p.at().String()), strings.ToLower(string(p.Severity)), p.Code, printable(p.text()))
	}
	return out.err
}

// printGitHub prints workflow commands, which GitHub shows as annotations.
func printGitHub(w io.Writer, r *report) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	out := errorWriter{w: w}
	for i := range r.Problems {
		p := &r.Problems[i]
		at := p.at()
		out.printf("::%s file=%s,line=%d,col=%d,title=%s::%s\n", strings.ToLower(string(p.Severity)),
			property.Replace(printable(at.File)), max(at.Line, 1), max(at.Column, 1), p.Code, data.Replace(printable(p.text())))
	}
	return out.err
}

// printMarkdown prints a table of problems, for the summary of a step.
func printMarkdown(w io.Writer, r *report) error {
	cell := func(text string) string {
		text = printable(text)
		for _, special := range `\` + "`*_{}[]<>#|~$@" {
			text = strings.ReplaceAll(text, string(special), `\`+string(special))
		}
		return text
	}
	out := errorWriter{w: w}
	out.printf("**%s**\n", r.summary())
	if len(r.Problems) > 0 {
		out.printf("\n| | problem | where | what |\n|---|---|---|---|\n")
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		mark := "⚠️ warning"
		if p.Severity == dataflow.SeverityError {
			mark = "❌ error"
		}
		out.printf("| %s | %s | %s | %s |\n", mark, p.Code, cell(p.at().String()), cell(p.text()))
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

// printJUnit prints a test case for each operation, and for each document that could not be
// read: it fails with the errors of the operation. Warnings are its output.
func printJUnit(w io.Writer, r *report) error {
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
		case p.Severity != dataflow.SeverityError:
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

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Version        string      `json:"version"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// printSARIF prints the problems as SARIF 2.1.0, which GitHub's code scanning reads.
func printSARIF(w io.Writer, r *report) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{"plan", "https://github.com/fluid-cloudnative/slipstream", version, []sarifRule{}}
	rules := map[dataflow.Code]bool{}
	for i := range r.Problems {
		p := &r.Problems[i]
		if !rules[p.Code] {
			rules[p.Code] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{string(p.Code)})
		}
		result := sarifResult{RuleID: string(p.Code), Level: strings.ToLower(string(p.Severity)), Message: sarifText{printable(p.text())}, Locations: []sarifLocation{}}
		for _, at := range p.Places {
			var l sarifLocation
			l.Physical.Artifact.URI = (&url.URL{Path: at.File}).String()
			if at.Line > 0 {
				l.Physical.Region = &sarifRegion{at.Line, at.Column}
			}
			result.Locations = append(result.Locations, l)
		}
		run.Results = append(run.Results, result)
	}
	text, err := encodeJSON(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}, "")
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
