package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/report"
)

// progress shows how a recovery gets on: a bar on a terminal, a line per event elsewhere.
type progress struct {
	environment
	mu    sync.Mutex
	total int
	done  int
	bar   *progressbar.ProgressBar
}

func newProgress(env environment, style report.Style, total int) *progress {
	p := &progress{environment: env, total: total}
	if total == 0 || !env.terminal(env.ErrOut) || env.getenv("TERM") == "dumb" {
		return p
	}
	theme := progressbar.Theme{Saucer: "#", SaucerPadding: ".", BarStart: "[", BarEnd: "]"}
	if style.UTF8 {
		theme = progressbar.Theme{Saucer: "█", SaucerPadding: "░"}
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(env.ErrOut),
		progressbar.OptionSetTheme(theme),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetDescription("Recovering"),
		progressbar.OptionClearOnFinish(),
	)
	p.draw()
	return p
}

// Observe implements backfill.Observer.
func (p *progress) Observe(e backfill.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	finished := e.Kind == backfill.Finished && e.Result.Planned
	if finished {
		p.done++
	}
	line := p.line(e)
	switch {
	case p.bar == nil && line == "":
	case p.bar == nil:
		p.warn("%s", line)
	case finished && overtaken(e.Result) == "":
		// That the bar cannot be drawn is no reason to stop.
		_ = p.bar.Add(1)
	case finished:
		_ = p.bar.Clear()
		p.warn("%s", line)
		_ = p.bar.Add(1)
	case line != "":
		// What it waits for stays readable above the bar.
		_ = p.bar.Clear()
		p.warn("%s", line)
		p.draw()
	}
}

// draw draws the bar, unless it is full and gone.
func (p *progress) draw() {
	if p.done < p.total {
		_ = p.bar.RenderBlank()
	}
}

func (p *progress) line(e backfill.Event) string {
	firing := fmt.Sprintf("%s %s", e.CronWorkflow, stamp(e.Finding.ScheduledTime))
	switch e.Kind {
	case backfill.Waiting:
		return fmt.Sprintf("%s: waiting until %s: %s", firing, clock(e.Until), e.Why)
	case backfill.Retrying:
		return fmt.Sprintf("%s: again at %s: %v", firing, clock(e.Until), e.Err)
	case backfill.Finished:
		if !e.Result.Planned || e.Result.Outcome == backfill.Interrupted {
			return "" // the summary says it once for all
		}
		line := fmt.Sprintf("%s: %s (%d/%d)", firing, e.Result.Outcome, p.done, p.total)
		if why := overtaken(e.Result); why != "" {
			line += ": " + why
		}
		return line
	case backfill.Settling:
		return fmt.Sprintf("%s: watching until %s that Argo keeps the status", e.CronWorkflow, clock(e.Until))
	}
	return ""
}

// end takes the bar away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// overtaken says why there was nothing to recover any more, where the plan said that there was.
func overtaken(r backfill.Result) string {
	if r.Outcome != backfill.AlreadyThere {
		return ""
	}
	return strings.Join(r.Why, " ")
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
