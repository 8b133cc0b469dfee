package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// step is one commit of the change.
type step struct {
	title   string
	message string
	edit    func(dir string) error // edits the files that Fluid has; those of added come from _fluid

	number int
}

// steps holds the change, in the order of the commits.
var steps = numbered(inherit, tell, check, crash, backup, process)

func numbered(all ...step) []step {
	for i := range all {
		all[i].number = i + 1
	}
	return all
}

const library = "github.com/fluid-cloudnative/slipstream"

// added holds the files that a step adds, in a folder with its number.
//
//go:embed all:_fluid
var added embed.FS

// apply makes the change in the checkout in dir. The first step also adds the requirement, and
// each step updates the folder vendor if there is one.
func (s step) apply(dir, slipstream string) error {
	if err := s.edit(dir); err != nil {
		return err
	}
	if err := s.add(dir, func(string) bool { return true }); err != nil {
		return err
	}
	if s.number == 1 {
		if err := require(dir, slipstream); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt")); err != nil {
		return nil
	}
	_, err := command(dir, "go", "mod", "vendor") // with the packages that the step imports
	return err
}

// add writes the files that the step adds, and that are wanted by name.
func (s step) add(dir string, wanted func(name string) bool) error {
	root := path.Join("_fluid", strconv.Itoa(s.number))
	return fs.WalkDir(added, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !wanted(name) {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		text, err := added.ReadFile(name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name[len(root):]))
		if _, err := os.Stat(to); err == nil {
			return fmt.Errorf("%s exists", to)
		}
		return os.WriteFile(to, append([]byte(license), text...), 0o644)
	})
}

// license is the comment at the head of every Go file of Fluid.
const license = `/*
Copyright 2026 The Fluid Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

`

// require adds slipstream to go.mod, at a version or in a folder.
func require(dir, slipstream string) error {
	version := slipstream
	if info, err := os.Stat(slipstream); err == nil && info.IsDir() {
		version = "v0.0.0"
		folder, err := filepath.Abs(slipstream)
		if err != nil {
			return err
		}
		if _, err := command(dir, "go", "mod", "edit", "-replace", library+"="+folder); err != nil {
			return err
		}
	}
	if _, err := command(dir, "go", "mod", "edit", "-require", library+"@"+version); err != nil {
		return err
	}
	// Marked as indirect, it is moved to the direct requirements by go mod tidy.
	line := library + " " + version
	if err := replaceWord(dir, "go.mod", line, line+" // indirect"); err != nil {
		return err
	}
	_, err := command(dir, "go", "mod", "tidy")
	return err
}

// save writes the files, or none of them if one cannot be edited.
func save(files ...*goFile) error {
	for _, f := range files {
		if f.err != nil {
			return f.err
		}
	}
	for _, f := range files {
		if err := f.save(); err != nil {
			return err
		}
	}
	return nil
}
