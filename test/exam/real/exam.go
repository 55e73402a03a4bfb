package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"rollcall.dev/rollcall/test/binaries"
	"rollcall.dev/rollcall/test/cluster"
	"rollcall.dev/rollcall/test/exam/witness"
)

// Options of an exam.
type Options struct {
	// Argo is the release that is examined with; empty: binaries.Argo37.
	Argo binaries.Binary
	// Length is how long Rollcall is watched, Shortest at least.
	Length time.Duration
	// Seed decides what happens, and when.
	Seed uint64
	// Rollcall is the path of the binary, CRDs the folder with its CustomResourceDefinitions.
	Rollcall, CRDs string
	// Keep leaves the data folder with all logs.
	Keep bool
	// Out receives a line for each thing that happens.
	Out io.Writer
}

// Shortest is the shortest exam that makes sense: less than half of it is between the calms.
const Shortest = 8 * time.Minute

// Result is what came of an exam.
type Result struct {
	Argo    string    `json:"argo"`
	Seed    uint64    `json:"seed"`
	Minutes float64   `json:"minutes"`
	Began   time.Time `json:"began"`
	witness.Report
	// Oddities are no mistakes of Rollcall's: something was not done that should have been, or ended by itself.
	Oddities []string         `json:"oddities,omitempty"`
	Outages  []witness.Outage `json:"outages"`
	facts    Facts
}

// Shortfall says why the exam shows too little, whatever the witness says; empty where it shows enough.
func (r Result) Shortfall() []string {
	why := slices.Clone(r.Oddities)
	if least := int(20 * r.Minutes); r.Firings < least {
		why = append(why, fmt.Sprintf("%d firings were judged: %d at least are to be", r.Firings, least))
	}
	if r.Recovered == 0 {
		why = append(why, "nothing was recovered")
	}
	return why
}

// Facts are what the witness was fed.
type Facts struct {
	Argo     string
	Seed     uint64
	Length   time.Duration
	Truth    witness.Truth
	Said     witness.Said
	Oddities []string
}

// Facts are what the result rests on.
func (r Result) Facts() Facts { return r.facts }

// Examine asks the witness.
func (f Facts) Examine() (Result, error) {
	for c := range f.Truth.CronWorkflows { // what was read from a file has lost them
		for i := range f.Truth.CronWorkflows[c].Specs {
			spec := &f.Truth.CronWorkflows[c].Specs[i]
			spec.WhenAt = whens[spec.When]
		}
	}
	report, err := witness.Examine(f.Truth, f.Said, witness.DefaultRules())
	if err != nil {
		return Result{}, err
	}
	return Result{
		Argo: f.Argo, Seed: f.Seed, Minutes: f.Length.Minutes(), Began: f.Truth.From.UTC(), Report: report, Oddities: f.Oddities,
		Outages: f.Truth.Outages, facts: f,
	}, nil
}

// Run holds an exam. An error means that it could not be held.
func Run(ctx context.Context, o Options) (result Result, err error) {
	if o.Argo == "" {
		o.Argo = binaries.Argo37
	}
	if o.Length < Shortest {
		return Result{}, fmt.Errorf("exam: %s is too short: %s at least", o.Length, Shortest)
	}
	began := time.Now()
	var mu sync.Mutex
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(o.Out, "%s  %s\n", clock(time.Since(began)), fmt.Sprintf(format, args...))
	}
	s, err := setUp(ctx, o, tell)
	if err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	ctx, end := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer func() {
		end()
		err = errors.Join(err, s.Stop())
		tasks.Wait()
	}()
	watching := make(chan error, 1)
	tasks.Go(func() { watching <- s.watch.Run(ctx) })
	script := newScript(o.Seed, o.Length)
	if err := s.enter(ctx, script.Cast); err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	s.keepUp(ctx, &tasks)

	began = time.Now()
	tell("Argo %s, seed %d: %d CronWorkflows, %d faults and %d edits in %s", o.Argo, o.Seed, len(script.Cast), len(script.Faults), len(script.Edits), o.Length)
	calm, err := s.play(ctx, script, began)
	if err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	tell("all faults are over; Rollcall has %s to bring back what was lost", (o.Length - time.Since(began)).Round(time.Second))
	s.progress(ctx, began.Add(o.Length))
	select {
	case err := <-watching:
		return Result{}, fmt.Errorf("exam: the witness was blind: %w", err)
	default:
	}
	to := time.Now()
	tell("Rollcall is told to end, and to put on record what it knows")
	if err := s.dismiss(); err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	final, err := s.audit(ctx, o.Rollcall, began)
	if err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	return s.examine(ctx, o, began, to, calm, final)
}

// clock writes a time from the beginning on.
func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// enter has the cast and Rollcall enter, and waits until a replica leads.
func (s *stage) enter(ctx context.Context, cast []cron) error {
	for _, c := range cast {
		text, err := c.manifest()
		if err != nil {
			return err
		}
		if err := s.Apply(ctx, namespace, text); err != nil {
			return err
		}
	}
	from := time.Now()
	for _, r := range s.replicas {
		if err := r.Start(ctx); err != nil {
			return err
		}
		r.up.Store(true)
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.leads(waiting, from); err != nil {
		return fmt.Errorf("%w\n%s", err, s.replicas[0].LogTail(20))
	}
	return nil
}

// play has the script happen, and says when all is well again.
func (s *stage) play(ctx context.Context, script script, began time.Time) (time.Time, error) {
	var acts sync.WaitGroup
	at := func(offset time.Duration, act func()) {
		acts.Go(func() {
			pause(ctx, time.Until(began.Add(offset)))
			if ctx.Err() == nil {
				act()
			}
		})
	}
	// The faults of one piece are carried out one after the other, however long it takes to be up again.
	pieces := map[string]*sync.Mutex{}
	for _, f := range script.Faults {
		piece := f.What
		switch piece {
		case witness.Leader:
			piece = witness.Rollcall
		case witness.Etcd:
			piece = witness.APIServer
		}
		if pieces[piece] == nil {
			pieces[piece] = &sync.Mutex{}
		}
		at(f.At, func() {
			pieces[piece].Lock()
			defer pieces[piece].Unlock()
			if time.Since(began) < script.Calm-f.For { // one that would be over too late is left out
				s.carryOut(ctx, f)
			}
		})
	}
	busy := make([]sync.Mutex, len(script.Cast))
	for _, e := range script.Edits {
		at(e.At, func() {
			busy[e.Cron].Lock()
			defer busy[e.Cron].Unlock()
			s.user(ctx, e, script.Cast[e.Cron])
		})
	}
	acts.Wait()
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.healthy(waiting)
}

// progress says every half minute how things stand, until a time.
func (s *stage) progress(ctx context.Context, until time.Time) {
	for time.Now().Before(until) && ctx.Err() == nil {
		pause(ctx, min(30*time.Second, time.Until(until)))
		truth, _, _ := s.recorder.facts()
		recovered := 0
		for _, w := range truth.Workflows {
			if w.BackfilledBy != "" {
				recovered++
			}
		}
		s.tell("%d Workflows so far, %d of them made by Rollcall", len(truth.Workflows), recovered)
	}
}

// dismiss ends the replicas as a kubelet does. A record may be a minute old while they run, and not when they have ended.
func (s *stage) dismiss() error {
	var errs []error
	for _, r := range s.replicas {
		r.down.Store(true)
		errs = append(errs, r.Stop())
		if err := r.Exit(); err != nil {
			s.oddity("%s ended with %v: %s", r.Name(), err, r.LogTail(5))
		}
	}
	return errors.Join(errs...)
}

// audit asks Rollcall for its last word on everything.
func (s *stage) audit(ctx context.Context, rollcall string, began time.Time) ([]witness.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, rollcall, "audit", "-A", "--since", (time.Since(began) + time.Minute).Round(time.Second).String(), "-o", "json",
		"--argo-namespace", cluster.DefaultNamespace, "--kubeconfig", s.Kubeconfig(cluster.Admin))
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	out, err := cmd.Output()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() != 2 {
		return nil, fmt.Errorf("rollcall audit: %w\n%s", err, status.Stderr)
	}
	var report struct {
		GeneratedAt   time.Time
		CronWorkflows []struct {
			Namespace, Name, UID, Error string
			Firings                     []saidFiring
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("rollcall audit printed no JSON: %w\n%s", err, out)
	}
	var said []witness.Verdict
	for _, c := range report.CronWorkflows {
		if c.Error != "" {
			s.oddity("rollcall audit of %s: %s", c.Name, c.Error)
		}
		for _, f := range c.Firings {
			said = append(said, witness.Verdict{
				Namespace: c.Namespace, Name: c.Name, UID: c.UID, ScheduledTime: f.ScheduledTime, Verdict: f.Verdict, Reason: f.Reason,
				Certainty: f.Certainty, Cause: f.Cause, SaidAt: report.GeneratedAt, Final: true, Where: "audit",
			})
		}
	}
	return said, nil
}

// examine asks the witness.
func (s *stage) examine(ctx context.Context, o Options, began, to, calm time.Time, final []witness.Verdict) (Result, error) {
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.watch.CatchUp(waiting); err != nil {
		return Result{}, fmt.Errorf("exam: the witness has not seen all: %w", err)
	}
	truth, said, bad := s.recorder.facts()
	s.mu.Lock()
	truth.Outages = slices.Concat(truth.Outages, s.outages)
	odd := slices.Concat(s.odd, bad)
	s.mu.Unlock()
	slices.SortStableFunc(truth.Outages, func(a, b witness.Outage) int { return a.From.Compare(b.From) })
	truth.From, truth.To, truth.FaultsEnd = began, to, calm
	facts := Facts{
		Argo: string(o.Argo), Seed: o.Seed, Length: o.Length, Truth: truth, Oddities: odd, Said: witness.Said{Verdicts: slices.Concat(said, final)},
	}
	result, err := facts.Examine()
	if err != nil {
		return Result{}, fmt.Errorf("exam: %w", err)
	}
	return result, nil
}
