// Package witness holds what Rollcall said and did against what happened.
package witness
