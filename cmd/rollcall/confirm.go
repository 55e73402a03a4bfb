package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errNoTerminal = errors.New("standard input is no terminal to ask on before anything is created: give --yes to go ahead without asking, or --dry-run to look")

// ask asks a question that only "y" or "yes" agrees to. Without a terminal to ask on it refuses.
func ask(ctx context.Context, env environment, question string) error {
	if !env.terminal(env.In) {
		return errNoTerminal
	}
	fmt.Fprintf(env.ErrOut, "%s [y/N] ", question)
	type reply struct {
		answer string
		err    error
	}
	// Reading cannot be interrupted, so an interruption leaves it behind; the process is about to end.
	replies := make(chan reply, 1)
	go func() {
		answer, err := bufio.NewReader(env.In).ReadString('\n')
		replies <- reply{answer, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(env.ErrOut)
	case r := <-replies:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return fmt.Errorf("read the answer: %w", r.err)
		}
		switch strings.ToLower(strings.TrimSpace(r.answer)) {
		case "y", "yes":
			return nil
		}
	}
	env.warn("nothing was created")
	return statusLost
}
