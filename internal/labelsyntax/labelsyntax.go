// Package labelsyntax decides whether a string is a label key, a label value or a DNS
// subdomain, as Kubernetes defines them.
//
// It accepts exactly what [validation.IsQualifiedName], [validation.IsValidLabelValue] and
// [validation.IsDNS1123Subdomain] accept. It does not use their regular expressions: one of
// them costs more than a whole inheritance, which checks every key. Messages come from
// apimachinery.
package labelsyntax

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// IsKey reports whether key is a label key: a name, or a DNS subdomain, a slash and a name.
func IsKey(key string) bool {
	if prefix, name, ok := strings.Cut(key, "/"); ok {
		return IsSubdomain(prefix) && isName(name)
	}
	return isName(key)
}

// KeyFault returns the error for a string that is not a label key.
func KeyFault(path *field.Path, key string) *field.Error {
	return fielderror.Invalid(path, key, "not a label key: "+strings.Join(validation.IsQualifiedName(key), "; "))
}

// IsValue reports whether value is a label value: a name, or the empty string.
func IsValue(value string) bool {
	return value == "" || isName(value)
}

// isName reports whether s has 1 to 63 letters, digits, dashes, underscores and dots, and
// begins and ends with a letter or digit.
func isName(s string) bool {
	if len(s) == 0 || len(s) > validation.LabelValueMaxLength || !isAlphanumeric(s[0]) || !isAlphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// IsSubdomain reports whether s is a DNS subdomain by RFC 1123: words of lower-case letters,
// digits and inner dashes, separated by dots, in at most 253 characters. Names of nodes and
// of operations are DNS subdomains.
func IsSubdomain(s string) bool {
	if len(s) > validation.DNS1123SubdomainMaxLength {
		return false
	}
	previous := byte('.')
	for i := range len(s) {
		switch c := s[i]; {
		case isLowerOrDigit(c):
		case c == '-' && previous != '.':
		case c == '.' && isLowerOrDigit(previous):
		default:
			return false
		}
		previous = s[i]
	}
	return isLowerOrDigit(previous)
}

func isAlphanumeric(c byte) bool { return isLowerOrDigit(c) || 'A' <= c && c <= 'Z' }

func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
