package dataflowtest

import "time"

// ExpireBy makes a call count as one that does not return when expired has a value, whatever the limit.
func ExpireBy(expired <-chan time.Time) Option {
	return func(s *subject) { s.guard.Expired = expired }
}
