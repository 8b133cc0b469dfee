package main

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// The codes of the program's own: of what could not be read, and of nodes that are being deleted.
const (
	codeUnreadable   = "Unreadable"
	codeNodeDeleting = "NodeDeleting"
)

// home is where the documentation is.
const home = "https://github.com/fluid-cloudnative/slipstream"

//go:embed codes.json
var codesJSON []byte

// codeTable returns what each code means: the table of CONTRIBUTING.md, and those of the program's own.
func codeTable() map[dataflow.Code]string {
	var table map[dataflow.Code]string
	if err := json.Unmarshal(codesJSON, &table); err != nil {
		panic(err) // a test reads it
	}
	table[codeUnreadable] = "A document, or a part of one, or a kind of object of a cluster, could not be read. Example: two documents without --- between them. Fix it, since operations may be in it."
	table[codeNodeDeleting] = "Nodes of the forecast have a deletion timestamp. Example: the cluster becomes smaller, and a node still drains. Leave such nodes out, or read the nodes again when they are gone."
	return table
}

// codeNames returns the codes, sorted.
func codeNames() []string {
	var names []string
	for _, code := range slices.Sorted(maps.Keys(codeTable())) {
		names = append(names, string(code))
	}
	return names
}
