package cases

import (
	"fmt"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Texts returns the messages in the results of a call: those of errors and of every error in them,
// those of problems with their fields, and strings.
func Texts(results []any) []string {
	var texts []string
	for _, result := range results {
		switch result := result.(type) {
		case nil:
		case error:
			texts = append(texts, result.Error())
			for _, err := range dataflow.Faults(result) {
				texts = append(texts, err.Error())
			}
		case []dataflow.Problem:
			for _, p := range result {
				texts = append(texts, p.Field, p.Message, p.String())
			}
		case string:
			texts = append(texts, result)
		default:
			panic(fmt.Sprintf("%T has no text", result))
		}
	}
	return texts
}
