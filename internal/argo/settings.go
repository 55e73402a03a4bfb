package argo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// annotations are all that mean something on a CronWorkflow.
var annotations = []string{
	annotationAudit, annotationDeadline, annotationGrace, annotationCatchUp, annotationBackfill, annotationIntended, annotationTouched,
}

// toSettings reads the rollcall.dev annotations of a CronWorkflow. A value that is not accepted leaves the default and gives
// a note.
func toSettings(m wireMeta) (auditor.Settings, []string) {
	var (
		s     auditor.Settings
		notes []string
		wrong []string
	)
	bad := func(annotation, value, accepted string) {
		sentence := fmt.Sprintf("annotation %s is %q; accepted is %s. The default is used.", annotation, quotable(value), accepted)
		notes = append(notes, fmt.Sprintf("CronWorkflow %s: %s", m.objectName(), sentence))
		wrong = append(wrong, "The "+sentence)
	}
	duration := func(annotation string) time.Duration {
		value, ok := m.Annotations[annotation]
		if !ok {
			return 0
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			bad(annotation, value, `a duration above 0, such as "90s" or "2h"`)
			return 0
		}
		return d
	}
	if value, ok := m.Annotations[annotationAudit]; ok {
		switch value {
		case "off":
			s.Off = true
		case "on":
		default:
			bad(annotationAudit, value, `"on" or "off"`)
		}
	}
	s.Deadline = duration(annotationDeadline)
	s.Grace = duration(annotationGrace)
	if value, ok := m.Annotations[annotationCatchUp]; ok {
		switch c := auditor.CatchUp(value); c {
		case auditor.CatchUpAll, auditor.CatchUpLatest, auditor.CatchUpNone:
			s.CatchUp = c
		default:
			bad(annotationCatchUp, value, `"all", "latest" or "none"`)
		}
	}
	if value, ok := m.Annotations[annotationBackfill]; ok {
		switch b := auditor.Backfill(value); b {
		case auditor.BackfillOn, auditor.BackfillDryRun, auditor.BackfillOff:
			s.Backfill = b
		default:
			bad(annotationBackfill, value, `"on", "dry-run" or "off"`)
		}
	}
	if value, ok := m.Annotations[annotationIntended]; ok && !isTime(value) {
		bad(annotationIntended, value, "a time, and Rollcall itself writes it")
	}
	for _, annotation := range slices.Sorted(maps.Keys(m.Annotations)) {
		if strings.HasPrefix(annotation, annotationPrefix) && !slices.Contains(annotations, annotation) {
			notes = append(notes, fmt.Sprintf("CronWorkflow %s: annotation %s is none of Rollcall's and has no effect.", m.objectName(), quotable(annotation)))
		}
	}
	s.Invalid = strings.Join(wrong, "\n")
	return s, notes
}

// maxQuoted is how many bytes of a value that is not accepted are quoted: annotations may have a quarter of a million.
const maxQuoted = 100

func quotable(value string) string {
	if len(value) <= maxQuoted {
		return value
	}
	return strings.ToValidUTF8(value[:maxQuoted], "") + "…"
}
