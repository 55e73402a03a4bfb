package argo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/Knetic/govaluate"
	"github.com/valyala/fasttemplate"

	"rollcall.dev/rollcall/auditor"
)

// When judges when expressions as Argo's controller does (argo-workflows v3.7.18, workflow/cron/operator.go, evalWhen and
// shouldExecute), with the same libraries: tags are replaced first, {{= … }} by what expr-lang makes of it and {{…}} by a
// variable, and govaluate then makes a boolean of the text. It differs in three ways:
//
//   - now() is the time of the moment that is judged, and so is everything else that reads the clock.
//   - A variable that may have changed since that moment is missing, and so an error.
//   - Only what can be judged quickly is judged (when_limits.go); the rest is an error. Sprig's functions are left out but for
//     those about time.
//
// The zero value knows no CronWorkflow. The fields are what the expression may read of it, and since when that has not changed.
type When struct {
	Namespace, Name string
	// Labels and Annotations are in JSON; empty where they are not known.
	Labels, Annotations           string
	LabelsSince, AnnotationsSince time.Time
	Failed, Succeeded             int64
	CountedSince                  time.Time
}

var _ auditor.Condition = When{}

// maxWhen is the longest expression that is judged, before and after its tags are replaced, and the longest value of a variable.
const maxWhen = 4096

// Holds says whether the expression is true at the moment. An error means that this cannot be judged. It takes well under a
// second whatever the expression is, and reads neither the clock nor the environment nor the network.
func (w When) Holds(expression string, m auditor.Moment) (held bool, err error) {
	defer func() {
		if p := recover(); p != nil { // govaluate panics on some input
			held, err = false, fmt.Errorf("when expression: %v", p)
		}
	}()
	if err := short(expression); err != nil {
		return false, err
	}
	template, err := fasttemplate.NewTemplate(expression, "{{", "}}")
	if err != nil {
		return false, fmt.Errorf("when expression: %w", err)
	}
	variables := w.variables(m)
	var text strings.Builder
	_, err = template.ExecuteFunc(&text, func(out io.Writer, tag string) (int, error) {
		value, err := w.tag(tag, variables, m)
		if err != nil {
			return 0, fmt.Errorf("when expression: {{%s}}: %w", tag, err)
		}
		return io.WriteString(out, value)
	})
	if err != nil {
		return false, err
	}
	return evaluate(text.String(), m)
}

func short(expression string) error {
	if len(expression) > maxWhen {
		return fmt.Errorf("when expression: it has %d characters, and %d is the most that is judged", len(expression), maxWhen)
	}
	return nil
}

// tag is what stands in the place of a tag: Argo's util/template, Replace without allowUnresolved.
func (w When) tag(tag string, variables map[string]any, m auditor.Moment) (string, error) {
	if expression, ok := strings.CutPrefix(tag, "="); ok {
		return evaluateExpr(unescapeHTML(expression), environment(variables, m))
	}
	name := strings.TrimSpace(tag)
	value, ok := variables[strings.TrimPrefix(name, variablePrefix)]
	if !ok || !strings.HasPrefix(name, variablePrefix) {
		return "", errors.New("there is no such variable, or what it was then is not known")
	}
	text, ok := value.(string)
	if !ok {
		return "", errors.New("it is no text")
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1], nil
}

// unescapeHTML is Argo's util/json, Fix.
func unescapeHTML(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(s)
}

const variablePrefix = "cronworkflow."

// variables are Argo's expressionEnv without their prefix, as far as their values at the moment are known. In a when
// expression, unlike in a stopStrategy, labels and annotations can only be read as JSON: a variable gives way to a longer one
// that begins with it (Argo's util/expand).
func (w When) variables(m auditor.Moment) map[string]any {
	v := map[string]any{"name": w.Name, "namespace": w.Namespace}
	if w.Labels != "" && w.LabelsSince.Before(m.At) {
		v["labels.json"] = []byte(w.Labels)
	}
	if w.Annotations != "" && w.AnnotationsSince.Before(m.At) {
		v["annotations.json"] = []byte(w.Annotations)
	}
	if w.CountedSince.Before(m.At) {
		v["failed"], v["succeeded"] = w.Failed, w.Succeeded
	}
	if !m.LastUnknown {
		var last *time.Time
		if !m.LastScheduled.IsZero() {
			last = &m.LastScheduled
		}
		v["lastScheduledTime"] = last
	}
	return v
}

// evaluate is Argo's shouldExecute.
func evaluate(text string, m auditor.Moment) (bool, error) {
	if err := short(text); err != nil {
		return false, err
	}
	if text == "" {
		return true, nil
	}
	expression, err := govaluate.NewEvaluableExpression(text)
	if err != nil {
		return false, fmt.Errorf("when expression %q: %w", text, err)
	}
	for _, token := range expression.Tokens() {
		if token.Kind == govaluate.TIME && !sameOffset(m.At, m.At.In(time.Local)) {
			return false, fmt.Errorf("when expression %q: it has a date in the controller's local time, which is not the local time here", text)
		}
	}
	result, err := expression.Evaluate(nil)
	if err != nil {
		return false, fmt.Errorf("when expression %q: %w", text, err)
	}
	held, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("when expression %q: it is %v, not true or false", text, result)
	}
	return held, nil
}

func sameOffset(a, b time.Time) bool {
	_, here := a.Zone()
	_, there := b.Zone()
	return here == there
}

// toWhen keeps of a CronWorkflow what its when expression may read; nil where it has none.
func toWhen(m wireMeta, expression string, failed, succeeded int64, created time.Time) auditor.Condition {
	if expression == "" {
		return nil
	}
	w := When{
		Namespace: m.Namespace, Name: m.Name, Failed: failed, Succeeded: succeeded,
		CountedSince:     m.writtenAt(),
		LabelsSince:      created,
		AnnotationsSince: created,
	}
	if len(m.ManagedFields) == 0 {
		w.CountedSince = never // each run changes the counts, and nothing says when one last did
	}
	for _, f := range m.ManagedFields {
		at := f.Time.time()
		if len(f.Fields.Metadata.Labels) > 0 {
			w.LabelsSince = later(w.LabelsSince, at)
		}
		if len(f.Fields.Metadata.Annotations) > 0 {
			w.AnnotationsSince = later(w.AnnotationsSince, at)
		}
	}
	// They can be long, kubectl's last-applied-configuration above all: kept where they are read.
	if strings.Contains(expression, "labels") {
		w.Labels = shortJSON(m.Labels)
	}
	if strings.Contains(expression, "annotations") {
		w.Annotations = shortJSON(m.Annotations)
	}
	return w
}

// never is later than any moment.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// shortJSON is empty for what is too long to be judged.
func shortJSON(values map[string]string) string {
	data, err := json.Marshal(values)
	if err != nil || len(data) > maxWhen {
		return ""
	}
	return string(data)
}
