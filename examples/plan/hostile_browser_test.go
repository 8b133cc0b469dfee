//go:build browser

package main

import "strings"

// hostileNames are names that mean something to HTML, to CSS, to Markdown, to Mermaid, or to a
// terminal. An API server accepts the first ones.
var hostileNames = append(acceptedNames,
	"<script>hostileRan=1</script>", "<img src=x onerror=hostileRan=1>", `"><svg onload=hostileRan=1>`, "</td></table></details>", "<!--", "]]>", "<br/>", "<b>bold</b>",
	"&lt;script&gt;", "&amp;", "&#106;", "#35;", "#lt;", "#quot;", "javascript:hostileRan=1", "'\"`", "`code`", "**x**", "__x__", "~~x~~", "*x*", "_x_", "[x](javascript:hostileRan=1)", "![x](y)",
	"$$x$$", "$x$", "\\(x\\)", "direction LR", "subgraph x", "fa:fa-car", "fab:fa-github some text", "flowchart TB", "%%{init: {}}%%", "%% comment", "click a href", "style a fill:#f00", "classDef x fill:#f00",
	"a --> b", "a-->|x|b", "a@{ shape: rect }", ":::error", "((x))", "{{x}}", "[[x]]", ">x]", "a;b", "a,b", "a|b", "1. list", "- list", "# heading", "> quote", " a ", "a  b",
	"x\ny", "x\ty", "x\ry", "\x1b[31mred", "\u202egnp.exe", "\u200bzero", "é", "漢字", "🚀", "العربية", "ﬁ", "a\u0301", "ﬂ°°35¶ß", "¶ß", "ﬂ°x¶ß", "{{.Title}}", "{% x %}", "${x}", "@import url(x)", "expression(1)",
	strings.Repeat("long", 100), strings.Repeat("wide ", 80),
)

// acceptedNames are names that an API server accepts.
var acceptedNames = []string{
	"end", "graph", "subgraph", "flowchart", "default", "click", "style", "class", "linkstyle", "direction", "href", "call", "o", "x", "constructor", "prototype", "null", "undefined", "0", "1e3", "2024-01-01",
	"a.b.c", "tb", "td", "o--o", "x--x", "proto", "tostring", "hasownproperty", strings.Repeat("a", 63), strings.Repeat("a", 253), strings.Repeat("a.", 126) + "a",
}
