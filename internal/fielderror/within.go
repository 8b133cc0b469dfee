package fielderror

import "strings"

// Within reports whether the field at path, as field.Path prints it, is the other one or
// stands in it.
func Within(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
