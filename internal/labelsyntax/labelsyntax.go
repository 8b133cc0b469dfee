// Package labelsyntax decides whether a string is a label key, a label value or a
// name in Kubernetes.
//
// It accepts exactly what [validation.IsQualifiedName] and
// [validation.IsValidLabelValue] accept, without their regular expressions:
// those cost more than the whole of an inheritance, which checks every key.
// Whoever needs to say what is wrong asks apimachinery, which explains it.
package labelsyntax

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// IsKey reports whether key is a label key: an optional DNS subdomain and a
// slash, and a name.
func IsKey(key string) bool {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return IsSubdomain(key[:i]) && isName(key[i+1:])
	}
	return isName(key)
}

// KeyFault is the error for what is no label key.
func KeyFault(path *field.Path, key string) *field.Error {
	return field.Invalid(path, key, "not a label key: "+strings.Join(validation.IsQualifiedName(key), "; "))
}

// IsValue reports whether value is a label value: a name, or empty.
func IsValue(value string) bool {
	return value == "" || isName(value)
}

// isName reports whether s has 1 to 63 letters, digits, dashes, underscores and
// dots, and a letter or digit at either end.
func isName(s string) bool {
	if len(s) == 0 || len(s) > validation.LabelValueMaxLength || !isAlphanumeric(s[0]) || !isAlphanumeric(s[len(s)-1]) {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		if c := s[i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// IsSubdomain reports whether s is a DNS-1123 subdomain: words of lower-case
// letters, digits and inner dashes, separated by dots. It accepts what
// [validation.IsDNS1123Subdomain] accepts. Names of nodes and of operations are such.
func IsSubdomain(s string) bool {
	if len(s) > validation.DNS1123SubdomainMaxLength {
		return false
	}
	previous := byte('.')
	for i := 0; i < len(s); i++ {
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
