package fielderror

import (
	"reflect"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Excerpt returns s, or its beginning if it is long.
func Excerpt(s string) string { return message.Cut(s, 80+len("…")) }

// Shorten makes the value of a fault an excerpt, if it is a string of any type.
func Shorten(fault *field.Error) {
	if bad := reflect.ValueOf(fault.BadValue); bad.Kind() == reflect.String {
		fault.BadValue = Excerpt(bad.String())
	}
}
