package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"rollcall.dev/rollcall/internal/report"
)

// Formats of -o.
const (
	formatTable = "table"
	formatWide  = "wide"
	formatName  = "name"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// output is where and how a report is written.
type output struct {
	environment
	formats []string
	format  string
	colour  string
}

// newOutput adds -o with the formats that a command offers, the default first, and --color.
func newOutput(env environment, cmd *cobra.Command, formats ...string) *output {
	o := &output{environment: env, formats: formats}
	cmd.Flags().StringVarP(&o.format, "output", "o", formats[0], "Output format: "+strings.Join(formats, ", "))
	cmd.Flags().StringVar(&o.colour, "color", "auto", "Colour: auto (on a terminal, unless NO_COLOR is set), always or never")
	completeFlag(cmd, "output", fixed(formats...))
	completeFlag(cmd, "color", fixed("auto", "always", "never"))
	return o
}

func (o *output) validate() error {
	if !slices.Contains(o.formats, o.format) {
		return fmt.Errorf("--output: %q is none of %s", o.format, strings.Join(o.formats, ", "))
	}
	if !slices.Contains([]string{"auto", "always", "never"}, o.colour) {
		return fmt.Errorf("--color: %q is none of auto, always, never", o.colour)
	}
	return nil
}

// forPeople says whether the format is one to look at.
func (o *output) forPeople() bool { return o.format == formatTable || o.format == formatWide }

// document writes a document in the formats for scripts.
func (o *output) document(d report.Document) error {
	printer, err := genericclioptions.NewJSONYamlPrintFlags().ToPrinter(o.format)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return printer.PrintObj(d, o.Out)
}

// toPeople is where what is to be looked at is written.
func (o *output) toPeople() io.Writer { return harmless{o.Out, o.style()} }

func (o *output) style() report.Style {
	style := report.Style{Width: width(o.Out, o.getenv), UTF8: takesUTF8(o.getenv)}
	switch o.colour {
	case "always":
		style.Colour = true
	case "auto":
		style.Colour = o.terminal(o.Out) && o.getenv("NO_COLOR") == "" && o.getenv("TERM") != "dumb"
	}
	return style
}

// isTerminal says whether a stream is a terminal; only files can be.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is $COLUMNS, else the width of the terminal, else 0 for no limit.
func width(out io.Writer, getenv func(string) string) int {
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := out.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}

// takesUTF8 follows the locale, as POSIX has it: LC_ALL beats LC_CTYPE beats LANG.
func takesUTF8(getenv func(string) string) bool {
	for _, variable := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(variable)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}
