// Package alter puts other values into the places of JSON, one at a time, as json.Unmarshal gives it for any: for tests of what becomes
// of an object when one of its fields is not as it should be.
package alter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Path leads to a value inside of another: keys of mappings (string) and indices of lists (int).
type Path []any

func (p Path) String() string {
	steps := make([]string, len(p))
	for i, step := range p {
		steps[i] = fmt.Sprint(step)
	}
	return strings.Join(steps, ".")
}

// Paths are those to every value inside of one, itself left out: keys in the order of the alphabet, what holds others before these.
func Paths(value any) []Path { return paths(value, nil) }

func paths(value any, to Path) []Path {
	var all []Path
	visit := func(step, inner any) {
		path := append(slices.Clone(to), step)
		all = append(append(all, path), paths(inner, path)...)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			visit(key, v[key])
		}
	case []any:
		for i, inner := range v {
			visit(i, inner)
		}
	}
	return all
}

// At is the value at a path that there is.
func At(value any, path Path) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			value = value.(map[string]any)[step]
		case int:
			value = value.([]any)[step]
		}
	}
	return value
}

// With is the value with another one at a path that there is. It shares with the first what is not on the path.
func With(value any, path Path, other any) any {
	if len(path) == 0 {
		return other
	}
	switch step := path[0].(type) {
	case string:
		changed := maps.Clone(value.(map[string]any))
		changed[step] = With(changed[step], path[1:], other)
		return changed
	case int:
		changed := slices.Clone(value.([]any))
		changed[step] = With(changed[step], path[1:], other)
		return changed
	}
	return value
}

// Kind is the JSON type of a value; whole numbers are one of their own.
func Kind(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "text"
	case []any:
		return "list"
	case map[string]any:
		return "mapping"
	default:
		number, err := json.Marshal(v)
		if _, wrong := strconv.ParseInt(string(number), 10, 64); err == nil && wrong == nil {
			return "whole number"
		}
		return "number"
	}
}
