package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// Store reads and writes records. It is safe for concurrent use; writes of one record are made one after the other, and never of
// an older state after a newer one.
type Store struct {
	options Options
	timing  Timing
	api     *api
	writer  string
	log     *slog.Logger

	mu      sync.Mutex
	entries map[auditor.Key]*entry
	queue   queue
	// wake tells Run that the queue has changed.
	wake chan struct{}
}

// entry is one record.
type entry struct {
	key auditor.Key
	// turn holds a value while nobody writes or reads; who takes it has the fields of the second group.
	turn chan struct{}

	// Guarded by Store.mu.

	// next is the newest status that is not written yet; nil when there is none.
	next *v1alpha1.CronAuditStatus
	// saved counts the states given to Save, written is the count of the one that was written last.
	saved, written uint64
	// due is when next is to be written, at is its place in the queue; -1 when it is not in there.
	due time.Time
	at  int
	// lastWrite is when the record was written last, failures how many writes failed since.
	lastWrite time.Time
	failures  int
	// refused is set when another Rollcall has written what this one has not read.
	refused error
	// forgotten: the entry is not the Store's any more.
	forgotten bool

	// Guarded by turn.

	// have is the version in the API server, as far as it is known; nil where it may not exist.
	have *version
	// known is of the last version that was read or written here.
	known knowledge
}

// NewStore makes a Store. No request is made.
func NewStore(options Options) (*Store, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	if options.Version == "" {
		options.Version = "dev"
	}
	if options.WriteFailed == nil {
		options.WriteFailed = func() {}
	}
	timing := options.Timing.withDefaults()
	client, err := newAPI(options.Config, options.Version, timing.Call)
	if err != nil {
		return nil, err
	}
	return &Store{
		options: options, timing: timing, api: client, writer: options.writer(), log: options.Log,
		entries: map[auditor.Key]*entry{}, wake: make(chan struct{}, 1),
	}, nil
}

// Save records a state. An urgent one is written before Save returns, with up to three retries, each after twice the delay of
// the one before; on an error nothing may be done that rests on it, though it is written later if that becomes possible. Other
// states are written by Run and Flush, at most one a minute for each CronWorkflow, of several the newest.
//
// A state must know everything that those before it knew. ErrSuperseded says that the record has to be read again (Reload)
// before anything of it is written; ErrAnother that the state is of a CronWorkflow that does not exist any more.
func (s *Store) Save(ctx context.Context, key auditor.Key, state auditor.State, urgent bool) error {
	for _, name := range []string{key.Namespace, key.Name} {
		if wrong := rest.IsValidPathSegmentName(name); name == "" || len(wrong) > 0 {
			return fmt.Errorf("record of CronWorkflow %s: %q is not a name", key, name)
		}
	}
	if state.UID == "" {
		return fmt.Errorf("record of CronWorkflow %s: the state has no UID", key)
	}
	status := StatusOf(state)

	s.mu.Lock()
	e := s.entry(key)
	if e.refused != nil {
		s.mu.Unlock()
		return e.refused
	}
	e.next = &status
	e.saved++
	mine := e.saved
	if !urgent {
		if e.at < 0 {
			s.enqueue(e, e.lastWrite.Add(s.timing.Every))
		}
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()

	err := s.write(ctx, e, mine)
	for retry := 0; retry < maxRetries && transient(err) && wait(ctx, jittered(s.timing.Retry<<retry)); retry++ {
		err = s.write(ctx, e, mine)
	}
	return err
}

// Forget ends the work on a record, as when its CronWorkflow is gone. The CronAudit goes with its owner.
func (s *Store) Forget(key auditor.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		s.drop(e)
	}
}

// Run writes the states that are not urgent until ctx ends. What is then not written yet is for Flush.
func (s *Store) Run(ctx context.Context) {
	outages := 0
	for ctx.Err() == nil {
		e, saved, pause := s.nextDue(time.Now())
		if e == nil {
			s.await(ctx, pause)
			continue
		}
		began := time.Now()
		err := s.write(ctx, e, saved)
		pause = time.Until(began.Add(s.timing.Pace))
		after, whole := general(err)
		if whole {
			outages++
			pause = max(after, s.backoff(outages))
		} else {
			outages = 0
		}
		if err != nil && ctx.Err() == nil {
			s.log.Log(ctx, s.loudness(e), "record not written", "cronworkflow", e.key.String(), "error", err.Error())
		}
		wait(ctx, pause)
	}
}

// Flush writes what is not written yet, each record once, until that is done or ctx ends. The error says how many could not be
// written, and why the first of them.
func (s *Store) Flush(ctx context.Context) error {
	type job struct {
		e     *entry
		saved uint64
	}
	var jobs []job
	s.mu.Lock()
	for _, e := range s.entries {
		if e.next != nil {
			jobs = append(jobs, job{e, e.saved})
		}
	}
	s.mu.Unlock()

	work, results := make(chan job), make(chan error)
	var workers sync.WaitGroup
	for range min(flushers, len(jobs)) {
		workers.Go(func() {
			for j := range work {
				results <- s.write(ctx, j.e, j.saved)
			}
		})
	}
	go func() {
		for _, j := range jobs {
			work <- j
		}
		close(work)
		workers.Wait()
		close(results)
	}()
	var first error
	failed := 0
	for err := range results {
		if err != nil && !errors.Is(err, ErrAnother) {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d records could not be written: %w", failed, len(jobs), first)
	}
	return nil
}

// loudness is lower for failures that repeat one that was logged: they are tried again every minute, for every CronWorkflow.
func (s *Store) loudness(e *entry) slog.Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.failures > 1 {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// entry is that of a key; call it with mu.
func (s *Store) entry(key auditor.Key) *entry {
	e := s.entries[key]
	if e == nil {
		e = &entry{key: key, turn: make(chan struct{}, 1), at: -1}
		e.turn <- struct{}{}
		s.entries[key] = e
	}
	return e
}

// drop takes an entry away; call it with mu.
func (s *Store) drop(e *entry) {
	e.forgotten, e.next = true, nil
	s.dequeue(e)
	delete(s.entries, e.key)
}

// wait waits, and says whether ctx allowed it.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
