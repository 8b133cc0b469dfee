package main

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// codeUnreadable is the code of what could not be read.
const codeUnreadable = "Unreadable"

// home is where the documentation is.
const home = "https://github.com/fluid-cloudnative/slipstream"

//go:embed codes.json
var codesJSON []byte

// codeTable returns what each code means: the table of CONTRIBUTING.md, and Unreadable.
func codeTable() map[dataflow.Code]string {
	var table map[dataflow.Code]string
	if err := json.Unmarshal(codesJSON, &table); err != nil {
		panic(err) // a test reads it
	}
	table[codeUnreadable] = "A document, or a part of one, or a kind of object of a cluster, could not be read. Example: two documents without --- between them. Fix it, since operations may be in it."
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
