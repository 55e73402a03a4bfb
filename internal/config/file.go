package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is how large a file of settings may be, in bytes: what a ConfigMap holds.
const maxFile = 1 << 20

// readFile reads a file of settings: one flat mapping, in YAML or JSON.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return data, nil
}

// parseFile reads the settings in a file. JSON is YAML but for tabs, and goes the same way, so that a key that stands there twice
// is an error in both, and "on" is a text in both.
func parseFile(path string, data []byte) (map[string]any, error) {
	if filepath.Ext(path) == ".json" || json.Valid(data) {
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		data = compact.Bytes()
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var values map[string]any
	switch err := decoder.Decode(&values); {
	case errors.Is(err, io.EOF): // nothing but comments
		return nil, nil
	case err != nil:
		return nil, errors.New(oneLine(err.Error()))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one document: put all settings into one")
	}
	return values, nil
}

// oneLine is a message of the YAML parser, which may have several, as one line that is not too long.
func oneLine(message string) string {
	const most = 1000
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most], "") + "…"
	}
	return message
}

// takeFile takes the values of a file. They stand in for flags and variables that are not set.
func (s *settings) takeFile(path string, data []byte, known []string) {
	s.file = path
	values, err := parseFile(path, data)
	if err != nil {
		s.problems = append(s.problems, fmt.Errorf("%s: %w", path, err))
		return
	}
	taken := map[string]any{}
	var unknown []string
	for key, value := range values {
		if slices.Contains(known, key) {
			taken[key] = value
		} else {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		s.problems = append(s.problems, fmt.Errorf("%s: there is no setting %s%s", path, quote(key), didYouMean(key, known)))
	}
	if err := s.values.MergeConfigMap(taken); err != nil {
		s.problems = append(s.problems, fmt.Errorf("%s: %w", path, err))
	}
}
