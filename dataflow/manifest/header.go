package manifest

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// header is what tells of which kind an object is.
type header struct {
	apiVersion, kind string
	items            raw
	itemsTwice       bool
}

func headerOf(object raw) header {
	var h header
	for key, value := range object.members() {
		if h.apiVersion != "" && h.kind != "" && !strings.HasSuffix(h.kind, "List") {
			break // the usual case
		}
		switch string(key.text()) {
		case "apiVersion":
			h.apiVersion = textOf(value)
		case "kind":
			h.kind = textOf(value)
		case "items":
			h.itemsTwice = h.items != nil
			h.items = value
		}
	}
	return h
}

// textOf returns what value says if it is a string, and else nothing.
func textOf(value raw) string {
	if !value.isString() {
		return ""
	}
	return string(value.text())
}

// isList reports whether the object stands for those in it.
func (h header) isList() bool {
	of, ok := strings.CutSuffix(h.kind, "List")
	return ok && (of == "" || isOperation(h.apiVersion, of) || h.items.isArray())
}

// or returns the header of an object in a list, which may leave out what the kind
// of the list says.
func (h header) or(list header) header {
	if of := strings.TrimSuffix(list.kind, "List"); h.kind == "" && of != "" {
		h.kind = of
		h.apiVersion = cmp.Or(h.apiVersion, list.apiVersion)
	}
	return h
}

// mistaken returns what is wrong with an object that was probably meant to be an
// operation, or nothing.
func mistaken(is header) *field.Error {
	of, _, versioned := strings.Cut(is.apiVersion, "/")
	kind := dataflow.Kind(is.kind)
	switch {
	case versioned && of == group:
		if typo.Hint(kind, dataflow.Kinds()...) != "" {
			return fielderror.Unsupported(field.NewPath("kind"), kind, dataflow.Kinds()...)
		}
	case slices.Contains(dataflow.Kinds(), kind) && resemblesGroup(is.apiVersion):
		return field.NotSupported(field.NewPath("apiVersion"), excerpt(is.apiVersion), []string{group + "/" + version})
	}
	return nil
}

// resemblesGroup reports whether a wrong apiVersion of an operation was meant to be of
// its group: it has no group, or one that is similar, or something else of Fluid's.
func resemblesGroup(apiVersion string) bool {
	of, _, versioned := strings.Cut(apiVersion, "/")
	_, similar := typo.Nearest(of, group)
	return !versioned || similar || strings.Contains(strings.ToLower(of), "fluid")
}
