// Package report turns what the auditor and a backfill found into what people and scripts read: the JSON kinds (kind.go and
// the file of each command), tables, and the strip of the last verdicts.
//
// It knows findings and how to lay them out. It must not know where they came from, whether the output is a terminal (Style
// says what that can do), or what to do about them beyond the next command to type.
package report
