package argo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	goyaml "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// document is one YAML document of a file, or one JSON value.
type document struct {
	// where names the file, the document and the line it starts in.
	where string
	json  json.RawMessage
}

// readDocuments splits what a file holds into documents. Empty ones, and those of comments alone, are left out.
func readDocuments(name string, content []byte) ([]document, error) {
	if bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}) {
		return nil, fmt.Errorf("%s is UTF-16 text (PowerShell's > writes that); save it as UTF-8", name)
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var documents []document
	for _, part := range splitYAML(content) {
		read := readYAML
		if bytes.HasPrefix(bytes.TrimLeft(part.text, " \t\r\n"), []byte("{")) {
			read = readJSON
		}
		values, err := read(part)
		for _, v := range values {
			documents = append(documents, document{where: place(name, len(documents)+1, v.line), json: v.text})
		}
		if err != nil {
			var at syntaxError
			if !errors.As(err, &at) {
				at.line = part.line
			}
			return nil, fmt.Errorf("%s: %w", place(name, len(documents)+1, at.line), err)
		}
	}
	return documents, nil
}

func place(file string, document, line int) string {
	return fmt.Sprintf("%s, document %d, line %d", file, document, line)
}

// part is text that starts in a line of its file, counted from 1.
type part struct {
	text []byte
	line int
}

// syntaxError is an error of which the line in the file is known.
type syntaxError struct {
	line int
	err  error
}

func (e syntaxError) Error() string { return e.err.Error() }
func (e syntaxError) Unwrap() error { return e.err }

// splitYAML splits at the markers that separate documents: --- and ... in the first column. No value reaches there: block scalars
// are indented, and JSON has no line breaks inside strings.
func splitYAML(content []byte) []part {
	var parts []part
	start, startLine, line, at := 0, 1, 1, 0
	for at < len(content) {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if marker, ok := separates(content[at:end]); ok {
			parts = append(parts, part{content[start:at], startLine})
			start, startLine = at+marker, line
		}
		at = end
		line++
	}
	return append(parts, part{content[start:], startLine})
}

// separates says whether the line is or begins with a marker between documents, and how long that is.
func separates(line []byte) (marker int, ok bool) {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return 0, false
	}
	return 3, len(line) == 3 || bytes.IndexByte([]byte(" \t\r\n"), line[3]) >= 0
}

// readJSON reads the JSON values that stand one after the other in the text.
func readJSON(p part) ([]part, error) {
	var values []part
	decoder := json.NewDecoder(bytes.NewReader(p.text))
	for {
		before := decoder.InputOffset()
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			at := int64(len(p.text))
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = min(at, syntax.Offset)
			}
			return values, syntaxError{p.line + newlines(p.text[:at]), fmt.Errorf("not JSON: %w", err)}
		}
		begin := int(before) + len(p.text[before:]) - len(bytes.TrimLeft(p.text[before:], " \t\r\n"))
		values = append(values, part{value, p.line + newlines(p.text[:begin])})
	}
}

func newlines(text []byte) int { return bytes.Count(text, []byte("\n")) }

var yamlLine = regexp.MustCompile(`^(?:error converting YAML to JSON: )?yaml: line (\d+): `)

// readYAML reads one YAML document; none when there is nothing in it.
func readYAML(p part) ([]part, error) {
	if err := bounded(p.text); err != nil {
		return nil, err
	}
	value, err := yaml.YAMLToJSON(p.text)
	if err != nil {
		message, line := err.Error(), p.line
		if m := yamlLine.FindStringSubmatch(message); m != nil {
			n, _ := strconv.Atoi(m[1])
			line, message = p.line+max(n-1, 0), message[len(m[0]):]
		}
		return nil, syntaxError{line, fmt.Errorf("not YAML: %s", message)}
	}
	if string(value) == "null" {
		return nil, nil
	}
	lead := len(p.text) - len(bytes.TrimLeft(p.text, " \t\r\n"))
	return []part{{value, p.line + newlines(p.text[:lead])}}, nil
}

// anchored finds out quickly that a text has no aliases: most dumps have none.
var anchored = regexp.MustCompile(`(?s)&[0-9A-Za-z_-].*\*[0-9A-Za-z_-]`)

// maxExpanded is up to what size a document may grow by its aliases; kubectl writes none.
const maxExpanded = 16 << 20

// bounded is an error for YAML that is small and stands for something large: each alias of it is written out in JSON.
func bounded(text []byte) error {
	if !anchored.Match(text) {
		return nil
	}
	var document goyaml.Node
	if goyaml.Unmarshal(text, &document) != nil {
		return nil // whoever reads it says why
	}
	if most := maxExpanded + 2*len(text); expanded(&document, map[*goyaml.Node]int{}, most) >= most {
		return fmt.Errorf("its aliases (*name) stand for more than %d MiB: write out what they stand for", maxExpanded>>20)
	}
	return nil
}

// expanded is about the size of a node with its aliases written out, or most where that is less.
func expanded(node *goyaml.Node, known map[*goyaml.Node]int, most int) int {
	if node.Alias != nil {
		size, ok := known[node.Alias]
		if !ok {
			known[node.Alias] = 0 // inside of itself it is no YAML
			size = expanded(node.Alias, known, most)
			known[node.Alias] = size
		}
		return size
	}
	size := len(node.Value) + 2
	for _, inner := range node.Content {
		size = min(size+expanded(inner, known, most), most)
	}
	return size
}
