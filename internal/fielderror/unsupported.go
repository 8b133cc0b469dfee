package fielderror

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// Unsupported is field.NotSupported with a guess at what was meant.
func Unsupported[S ~string](path *field.Path, value S, supported ...S) *field.Error {
	fault := field.NotSupported(path, value, supported)
	fault.Detail += typo.Hint(value, supported...)
	return fault
}
