package argo

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"rollcall.dev/rollcall/auditor"
)

// environment is Argo's util/expr/env, GetFuncMap, with the clock at the moment. An entry of an environment takes the place of
// the built-in function of its name, which is how now() comes to be.
func environment(variables map[string]any, m auditor.Moment) map[string]any {
	cron := map[string]any{}
	for name, value := range variables {
		switch name {
		case "labels.json":
			cron["labels"] = map[string]any{"json": value}
		case "annotations.json":
			cron["annotations"] = map[string]any{"json": value}
		default:
			cron[name] = value
		}
	}
	return map[string]any{
		"cronworkflow": cron,
		"asInt":        builtin.Int,
		"asFloat":      builtin.Float,
		"toJson":       toJSON,
		"sprig":        sprig(m.At),
		"now": func(zone ...*time.Location) time.Time {
			if len(zone) > 0 {
				return m.At.In(zone[0])
			}
			return m.At
		},
	}
}

func toJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // the machine makes an error of it
	}
	return string(data)
}

// sprig are the functions of Masterminds/sprig v3.3.0 about time (date.go), with another clock and local zone.
func sprig(now time.Time) map[string]any {
	in := func(layout string, date any, zone *time.Location) string {
		t := now
		switch date := date.(type) {
		case time.Time:
			t = date
		case *time.Time:
			t = *date
		case int64:
			t = time.Unix(date, 0)
		case int:
			t = time.Unix(int64(date), 0)
		}
		return t.In(zone).Format(layout)
	}
	dateInZone := func(layout string, date any, zone string) string {
		location, err := time.LoadLocation(zone)
		if err != nil {
			location = time.UTC
		}
		return in(layout, date, location)
	}
	dateModify := func(by string, date time.Time) time.Time {
		d, err := time.ParseDuration(by)
		if err != nil {
			return date
		}
		return date.Add(d)
	}
	return map[string]any{
		"now":          func() time.Time { return now },
		"date":         func(layout string, date any) string { return in(layout, date, now.Location()) },
		"htmlDate":     func(date any) string { return in(time.DateOnly, date, now.Location()) },
		"dateInZone":   dateInZone,
		"date_in_zone": dateInZone,
		"dateModify":   dateModify,
		"date_modify":  dateModify,
		"unixEpoch":    func(date time.Time) string { return strconv.FormatInt(date.Unix(), 10) },
		"toDate": func(layout, text string) time.Time {
			t, err := time.ParseInLocation(layout, text, now.Location())
			if err != nil {
				return time.Time{}
			}
			return t
		},
	}
}

// evaluateExpr is Argo's util/template, expressionReplaceStrict where everything must be resolved.
func evaluateExpr(escaped string, env map[string]any) (string, error) {
	// Argo takes the template for JSON, where a quotation mark inside an expression is escaped, and undoes that.
	var expression string
	if err := json.Unmarshal([]byte(`"`+escaped+`"`), &expression); err != nil {
		return "", fmt.Errorf("it cannot be read as JSON: %w (use ' for texts)", err)
	}
	tree, err := parser.Parse(expression)
	if err != nil {
		return "", err
	}
	if err := judgeable(&tree.Node); err != nil {
		return "", err
	}
	if name := missing(&tree.Node, env); name != "" {
		return "", fmt.Errorf("there is no %s, or what it was then is not known", name)
	}
	program, err := expr.Compile(expression, expr.Env(env), expr.MaxNodes(maxNodes), expr.Optimize(false))
	if err != nil {
		return "", err
	}
	machine := vm.VM{MemoryBudget: maxElements}
	result, err := machine.Run(program, env)
	if err != nil {
		return "", err
	}
	if result == nil {
		return "", errors.New("it has no value")
	}
	data, err := json.Marshal(result)
	if err != nil {
		return "", err
	}
	if n := len(data); n > 1 && data[0] == '"' && data[n-1] == '"' {
		return string(data[1 : n-1]), nil
	}
	quoted := strconv.Quote(string(data))
	return quoted[1 : len(quoted)-1], nil
}
