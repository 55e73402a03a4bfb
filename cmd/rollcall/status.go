package main

import (
	"errors"
	"fmt"
	"strings"

	"rollcall.dev/rollcall/internal/report"
)

// status is an exit status.
type status int

const (
	// statusDone: it was done, and nothing is missed.
	statusDone status = 0
	// statusFailed: it could not be done, wholly or for one CronWorkflow.
	statusFailed status = 1
	// statusLost: something is Missed, Expired or GaveUp, or was not recovered.
	statusLost status = 2
)

// Error makes a status an error, for a command that has said all there is to say.
func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// and is the status of two things together: what could not be done goes before what is lost.
func (s status) and(other status) status {
	switch {
	case s == statusFailed || other == statusFailed:
		return statusFailed
	case s == statusLost || other == statusLost:
		return statusLost
	}
	return statusDone
}

// asError is nil for statusDone.
func (s status) asError() error {
	if s == statusDone {
		return nil
	}
	return s
}

// conclude turns a command's error into an exit status, and says it where it is not just a status.
func conclude(env environment, err error) status {
	if err == nil {
		return statusDone
	}
	var s status
	if errors.As(err, &s) {
		return s
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			env.warn("error: %s", line)
		}
	}
	return statusFailed
}

// warn writes a line for people beside the report.
func (env environment) warn(format string, args ...any) {
	fmt.Fprintf(harmless{env.ErrOut, report.Style{UTF8: takesUTF8(env.getenv)}}, format+"\n", args...)
}
