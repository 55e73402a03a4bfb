// Command run is `make exam`: an exam of Rollcall over real processes.
//
// It ends with status 1 when Rollcall made a mistake, and with 2 when the exam could not be held.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/exam/real"
)

func main() {
	var o real.Options
	argo := flag.String("argo", "3.7", "the line of Argo's releases: 3.6, 3.7 or 4.0")
	minutes := flag.Float64("minutes", 30, "how long to watch")
	flag.Uint64Var(&o.Seed, "seed", 0, "what happens, and when (default: a new one each time)")
	flag.StringVar(&o.Rollcall, "rollcall", "bin/rollcall", "the rollcall binary to examine")
	flag.StringVar(&o.CRDs, "crds", "charts/rollcall/files/crds", "the folder with Rollcall's CustomResourceDefinitions")
	flag.BoolVar(&o.Keep, "keep", false, "leave the folder with all logs, and write the facts that the witness was fed beside the result")
	again := flag.String("again", "", "hold no exam, but ask the witness again about the facts in this file, which -keep wrote")
	to := flag.String("o", "dist", "the folder to write the result to, as JSON")
	flag.Parse()
	o.Argo, o.Length, o.Out = binaries.Binary("argo-"+*argo), time.Duration(*minutes*float64(time.Minute)), os.Stdout
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	if *again != "" {
		os.Exit(askAgain(*again))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	result, err := real.Run(ctx, o)
	stop()
	if err == nil {
		result.Print(os.Stdout)
		fmt.Println()
		name := filepath.Join(*to, fmt.Sprintf("exam-%s-%d", *argo, o.Seed))
		err = write(result, name+".json")
		if o.Keep {
			err = errors.Join(err, write(result.Facts(), name+"-facts.json"))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	shortfall := result.Shortfall()
	for _, why := range shortfall {
		fmt.Fprintln(os.Stderr, "the exam shows too little:", why)
	}
	if !result.Passed() || len(shortfall) > 0 {
		os.Exit(1)
	}
}

// askAgain examines facts of an earlier exam, and gives the exit status.
func askAgain(path string) int {
	var facts real.Facts
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &facts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	result, err := facts.Examine()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	result.Print(os.Stdout)
	if !result.Passed() {
		return 1
	}
	return 0
}

func write(result any, path string) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fmt.Printf("written to %s\n", path)
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
