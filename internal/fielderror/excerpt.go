package fielderror

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Excerpt shortens s to what a message can show.
func Excerpt(s string) string {
	const longest = 80
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// Shorten makes the value of a fault an excerpt, if it is a string of any type.
func Shorten(fault *field.Error) {
	if bad := reflect.ValueOf(fault.BadValue); bad.Kind() == reflect.String {
		fault.BadValue = Excerpt(bad.String())
	}
}
