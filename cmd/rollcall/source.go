package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
	"rollcall.dev/rollcall/internal/argo"
	"rollcall.dev/rollcall/internal/config"
)

// maxClockOffset is how far the clocks may differ before it is said.
const maxClockOffset = 5 * time.Second

// source says where the evidence of an audit comes from: a cluster, or a dump of one.
type source struct {
	env        environment
	connection *connection
	flags      *pflag.FlagSet
	dump       []string
	asOf       string
}

func newSource(env environment, cmd *cobra.Command) *source {
	s := &source{env: env, connection: newConnection(), flags: cmd.Flags()}
	judging := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	config.AddJudging(judging)
	addSection(cmd, sectionJudging, judging)
	s.connection.add(cmd)
	return s
}

// addDump lets a dump stand in for the cluster.
func (s *source) addDump(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&s.dump, "filename", "f", nil, "Read a dump instead of a cluster: a file or folder of YAML or JSON, or - for standard input; may be repeated")
	cmd.Flags().StringVar(&s.asOf, "now", "", "Judge as if it were this time (RFC 3339 with zone); default with -f: the newest time in the dump, after which nothing is known")
}

// fromDump says whether there is no cluster.
func (s *source) fromDump() bool { return len(s.dump) > 0 }

// evidence is what was read, and how to judge it.
type evidence struct {
	*argo.Snapshot
	judging config.Judging
	options auditor.Options
	// now is the time to judge by.
	now time.Time
	// client is nil where the evidence is a dump.
	client *argo.Client
}

// read reads the CronWorkflows of these names, all when there are none.
func (s *source) read(ctx context.Context, names []string, allNamespaces bool) (*evidence, error) {
	e, now, err := s.settings()
	if err != nil {
		return nil, err
	}
	scope := argo.Scope{Names: names, InstanceID: e.judging.InstanceID, ArgoNamespace: e.judging.ArgoNamespace}
	if s.fromDump() {
		if scope.Namespaces = s.connection.given(); allNamespaces {
			scope.Namespaces = nil
		}
		if e.Snapshot, err = argo.ReadDump(s.dump, s.env.In, scope); err != nil {
			return nil, err
		}
		states := decodeRecords(e)
		if e.now = e.Now; !now.IsZero() {
			e.now = now
		} else if e.now.IsZero() {
			return nil, fmt.Errorf("--now: the dump has no time in it to judge by, as a manifest has none: make it with kubectl get, or give one, like --now 2026-11-23T04:45:00Z")
		}
		for i := range e.CronWorkflows {
			e.CronWorkflows[i].ReadAt = e.Now
		}
		e.recall(states, false)
		s.say(e)
		return e, nil
	}
	namespace, err := s.connection.namespace()
	if err != nil {
		return nil, err
	}
	if !allNamespaces {
		scope.Namespaces = []string{namespace}
	}
	if e.client, err = s.connection.client(e.judging); err != nil {
		return nil, err
	}
	if err := s.readCluster(ctx, e, scope, now); err != nil {
		return nil, err
	}
	s.say(e)
	return e, nil
}

// readCluster reads from the cluster, and judges as of now, the present time where that is zero.
func (s *source) readCluster(ctx context.Context, e *evidence, scope argo.Scope, now time.Time) (err error) {
	if e.Snapshot, err = e.client.Snapshot(ctx, scope); err != nil {
		return s.connection.explain(err)
	}
	states, err := s.readRecords(ctx, e, scope)
	if err != nil {
		return err
	}
	if e.now = e.Now; !now.IsZero() {
		e.now = now
	}
	e.recall(states, now.IsZero())
	return nil
}

// readAgain reads one CronWorkflow and its record once more, as of the present time. What there is to say of the source has been said.
func (s *source) readAgain(ctx context.Context, before *evidence, key backfill.Key) (*evidence, argo.Observed, error) {
	e := &evidence{judging: before.judging, options: before.options, client: before.client}
	scope := argo.Scope{
		Namespaces: []string{key.Namespace}, Names: []string{key.Name}, InstanceID: e.judging.InstanceID, ArgoNamespace: e.judging.ArgoNamespace,
	}
	if err := s.readCluster(ctx, e, scope, time.Time{}); err != nil {
		return nil, argo.Observed{}, err
	}
	observed, err := only(e.CronWorkflows, key.Name)
	if err == nil {
		err = observed.Err
	}
	return e, observed, err
}

// settings are the values of the flags; now is zero where it is not given.
func (s *source) settings() (*evidence, time.Time, error) {
	judging, err := config.LoadJudging(s.flags)
	if err != nil {
		return nil, time.Time{}, err
	}
	var now time.Time
	if s.asOf != "" {
		if now, err = parseTime("--now", s.asOf); err != nil {
			return nil, time.Time{}, err
		}
	}
	return &evidence{judging: judging, options: judging.AuditOptions()}, now, nil
}

// say says what people should know of the evidence beside the report.
func (s *source) say(e *evidence) {
	switch {
	case !s.fromDump():
	case s.asOf == "":
		s.env.warn("note: judged as of %s, the newest time in the dump", stamp(e.now))
	case !e.Now.IsZero() && e.now.Sub(e.Now) > auditor.DefaultGrace:
		e.Notes = append(e.Notes, fmt.Sprintf("The newest time in the dump is %s, %s before --now: what came after it is not known.", stamp(e.Now), e.now.Sub(e.Now).Round(time.Second)))
	case e.now.Before(e.Now):
		e.Notes = append(e.Notes, fmt.Sprintf("The dump is of %s, after --now: runs and times from after --now count all the same.", stamp(e.Now)))
	}
	switch n := e.OutsideInstance; {
	case n == 1:
		e.Notes = append(e.Notes, "1 CronWorkflow of another Argo installation is left out: --instance-id chooses an installation.")
	case n > 1:
		e.Notes = append(e.Notes, fmt.Sprintf("%d CronWorkflows of other Argo installations are left out: --instance-id chooses an installation.", n))
	}
	for _, note := range e.Notes {
		s.env.warn("note: %s", note)
	}
	if offset := e.ClockOffset; offset.Abs() > maxClockOffset {
		way := "ahead of"
		if offset < 0 {
			way = "behind"
		}
		s.env.warn("note: the API server's clock is %s %s this machine's: judged by the API server's", offset.Abs().Round(time.Second), way)
	}
}

// note adds a note to what was read, and says it.
func (s *source) note(e *evidence, format string, args ...any) {
	e.Notes = append(e.Notes, fmt.Sprintf(format, args...))
	s.env.warn("note: %s", e.Notes[len(e.Notes)-1])
}

// judge judges one CronWorkflow. Against a cluster the names of what seems lost are read once more, since what was listed may
// have been a moment old.
func (e *evidence) judge(ctx context.Context, in auditor.Input, window auditor.Window, options auditor.Options) (auditor.Input, auditor.Report, error) {
	roll, err := auditor.Audit(in, window, e.now, options)
	if err != nil || e.client == nil {
		return in, roll, err
	}
	var lost []string
	for _, f := range roll.Findings {
		if f.Verdict == auditor.Missed || f.Verdict == auditor.Expired {
			lost = append(lost, f.Workflow)
		}
	}
	if len(lost) == 0 {
		return in, roll, nil
	}
	runs, err := e.client.LastLook(ctx, in.CronWorkflow.Namespace, lost)
	if err != nil {
		return in, roll, fmt.Errorf("CronWorkflow %s/%s: last look for its lost runs: %w", in.CronWorkflow.Namespace, in.CronWorkflow.Name, err)
	}
	if len(runs) == 0 {
		return in, roll, nil
	}
	in.Runs = append(in.Runs[:len(in.Runs):len(in.Runs)], runs...)
	roll, err = auditor.Audit(in, window, e.now, options)
	return in, roll, err
}
