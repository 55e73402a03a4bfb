package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errNoTerminal = errors.New("standard input is no terminal to ask on before anything is created: give --yes to go ahead without asking, or --dry-run to look")

// ask asks a question that only "y" or "yes" agrees to. Without a terminal to ask on it refuses.
func ask(env environment, question string) error {
	if !env.terminal(env.In) {
		return errNoTerminal
	}
	fmt.Fprintf(env.ErrOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(env.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	env.warn("nothing was created")
	return statusLost
}
