package main

import (
	"os"
	"path/filepath"
	"strings"
)

// replaceWord replaces every occurrence of a word in a text file.
func replaceWord(dir, name, old, by string) error {
	return editText(dir, name, func(text string) (string, error) {
		if !strings.Contains(text, old) {
			return "", &NotFoundError{name, old}
		}
		return strings.ReplaceAll(text, old, by), nil
	})
}

// appendText adds lines at the end of a file.
func appendText(dir, name, added string) error {
	return editText(dir, name, func(text string) (string, error) {
		return strings.TrimRight(text, "\n") + "\n" + added, nil
	})
}

// beforeKey adds lines before the only line that starts with a key at the given indentation,
// such as "spec:".
func beforeKey(dir, name, key, added string) error {
	return editText(dir, name, func(text string) (string, error) {
		lines := strings.SplitAfter(text, "\n")
		found := -1
		for i, line := range lines {
			if strings.HasPrefix(line, key) {
				if found >= 0 {
					return "", &NotFoundError{name, "one line, not several, with " + key}
				}
				found = i
			}
		}
		if found < 0 {
			return "", &NotFoundError{name, "a line with " + key}
		}
		return strings.Join(lines[:found], "") + added + strings.Join(lines[found:], ""), nil
	})
}

func editText(dir, name string, edit func(string) (string, error)) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	edited, err := edit(string(text))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(edited), 0o644)
}
