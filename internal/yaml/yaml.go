// Package yaml writes YAML with the encoder that apimachinery has inside: it has
// no door of its own, and the library behind it would be one more dependency.
package yaml

import (
	"bytes"
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// Marshal returns v as YAML, with the field names of its JSON form, sorted.
func Marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	encoder := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, nil, nil, serializer.SerializerOptions{Yaml: true})
	var out bytes.Buffer
	if err := encoder.Encode(&runtime.Unknown{Raw: raw}, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
