package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
	"rollcall.dev/rollcall/test/cluster"
)

// installRecords installs the CRD of the chart, as Helm would, and waits until CronAudits are served. Scenarios may do so at the
// same time.
func (s *scenario) installRecords() {
	s.Helper()
	s.must(shared.Apply(s.ctx, "", s.recordsCRD()))
	s.must(cluster.Await(s.ctx, "CronAudits to be served", func(ctx context.Context) error {
		_, err := s.audits().List(ctx, metav1.ListOptions{})
		return err
	}))
}

func (s *scenario) recordsCRD() string {
	s.Helper()
	crd, err := os.ReadFile("../../charts/rollcall/files/crds/rollcall.dev_cronaudits.yaml")
	s.must(err)
	return string(crd)
}

func (s *scenario) audits() dynamic.ResourceInterface {
	return shared.Dynamic().Resource(v1alpha1.Resource).Namespace(s.namespace)
}

func (s *scenario) audited(name string) *unstructured.Unstructured {
	s.Helper()
	got, err := s.audits().Get(s.ctx, name, metav1.GetOptions{})
	s.must(err)
	return got
}

// recordStore is the store of a Rollcall called identity that acts as user.
func (s *scenario) recordStore(identity, user string) *record.Store {
	s.Helper()
	store, err := record.NewStore(record.Options{
		Config: shared.RESTConfig(user), Namespaces: []string{s.namespace}, Identity: identity, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	s.must(err)
	return store
}

func (s *scenario) key(name string) auditor.Key {
	return auditor.Key{Namespace: s.namespace, Name: name}
}

// outageOf is the state of a CronWorkflow in a long outage: every list is as long as a Watcher lets it become.
func outageOf(name, uid string) auditor.State {
	now := time.Now().UTC().Truncate(time.Minute)
	at := func(i int) time.Time { return now.Add(time.Duration(i-2000) * time.Minute) }
	firing := func(i int, v auditor.Verdict) auditor.Finding {
		return auditor.Finding{ScheduledTime: at(i), Workflow: auditor.WorkflowName(name, at(i)), Verdict: v}
	}
	s := auditor.State{
		UID: uid, AuditedThrough: at(1999), Totals: map[auditor.Verdict]int64{auditor.OnTime: 100000, auditor.GaveUp: 3}, Accounted: 100000,
		Strip: []auditor.Verdict{auditor.OnTime, auditor.Late, auditor.Backfilled, auditor.Skipped, auditor.Unknown, auditor.GaveUp, auditor.Missed},
	}
	for i := range auditor.MaxOpen {
		miss := firing(i, auditor.Missed)
		miss.Certainty, miss.Cause, miss.Deadline = auditor.Certain, auditor.ControllerDown, at(i+3000)
		s.Open = append(s.Open, miss)
		s.Record.Recoveries = append(s.Record.Recoveries, auditor.Recovery{ScheduledTime: at(i), Attempts: 3, LastError: `exceeded quota: <"q">`})
	}
	for i := range auditor.MaxUnsettled {
		s.Unsettled = append(s.Unsettled, firing(i, auditor.Unknown))
	}
	for i := range auditor.MaxUnconfirmed {
		s.Unsettled = append(s.Unsettled, firing(500+i, auditor.Pending))
	}
	for i := range 200 {
		s.Record.Runs = append(s.Record.Runs, auditor.RecordedRun{ScheduledTime: at(i), CreatedAt: at(i), Verdict: auditor.OnTime})
		s.Record.Active = append(s.Record.Active, auditor.ActiveSeen{At: at(i).Add(1234 * time.Microsecond), Runs: i % 3})
		s.Record.Moved = append(s.Record.Moved, at(i))
	}
	for i := range auditor.MaxNotable {
		lost := firing(i, auditor.GaveUp)
		lost.Reason, lost.Evidence = auditor.TooManyMissed, []string{"More firings were missed than catch-up allows."}
		s.Notable = append(s.Notable, lost)
	}
	s.Epochs = []auditor.Epoch{
		{From: at(0), Unknown: true},
		{From: at(1).Add(time.Microsecond), Spec: auditor.Spec{Schedules: []string{"* * * * *"}, Timezone: "Europe/Vienna", Policy: auditor.Forbid,
			StartingDeadline: 10 * time.Minute, When: `{{= cronworkflow.failed < 3 && "a" != "b" }}`, StopStrategy: true}},
	}
	s.Coverage = []auditor.Stretch{{From: at(0), To: at(1)}, {From: at(2), To: now}}
	s.Record.Unseen = []auditor.Stretch{{From: at(1), To: at(2)}}
	s.Record.Stopped, s.Record.Resumed = []time.Time{at(3)}, []time.Time{at(4)}
	s.Record.Errors = []auditor.ErrorSeen{{At: at(5), Message: "etcdserver: leader changed"}}
	return s
}

func TestARecordComesBackFromTheAPIServerAsItWas(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.create(cron{name: "tick"})
	uid := string(s.cron("tick").GetUID())
	want := map[auditor.Key]auditor.State{s.key("tick"): outageOf("tick", uid)}
	s.must(s.recordStore("a", cluster.Admin).Save(s.ctx, s.key("tick"), want[s.key("tick")], true))

	got, err := s.recordStore("b", cluster.Admin).Load(s.ctx)
	s.must(err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Error(diff)
	}
	stored := s.audited("tick")
	if owners := stored.GetOwnerReferences(); len(owners) != 1 || string(owners[0].UID) != uid {
		s.Errorf("got owners %v, want %s", owners, uid)
	}
	data, err := json.Marshal(stored)
	s.must(err)
	if len(data) >= v1alpha1.MaxBytes {
		s.Errorf("the CronAudit has %d bytes", len(data))
	}
	s.Logf("the CronAudit of a long outage has %d bytes, %d of them managedFields", len(data), len(fmt.Sprint(stored.GetManagedFields())))
}

func TestTheSchemaOfARecordRefusesWhatIsNone(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.create(cron{name: "tick"})
	s.must(s.recordStore("a", cluster.Admin).Save(s.ctx, s.key("tick"), auditor.State{UID: string(s.cron("tick").GetUID())}, true))
	for patch, field := range map[string]string{
		`{"status":{"summary":{"lastVerdict":"Fine"}}}`:                                                    "status.summary.lastVerdict",
		`{"status":{"open":[{"scheduledTime":"2026-11-23T12:00:00Z","verdict":"Misst"}]}}`:                 "status.open[0].verdict",
		`{"status":{"open":[{"verdict":"Missed"}]}}`:                                                       "status.open[0].scheduledTime",
		`{"status":{"record":{"runs":[{"scheduledTime":"2026-11-23T12:00:00Z","verdict":"Missed"}]}}}`:     "status.record.runs[0].verdict",
		`{"status":{"specEpochs":[{"from":"2026-11-23T12:00:00.000000Z","concurrencyPolicy":"Perhaps"}]}}`: "status.specEpochs[0].concurrencyPolicy",
		`{"status":{"totals":{"Late":-1}}}`:                                                                "status.totals.Late",
		`{"status":{"strip":"` + strings.Repeat(".", 61) + `"}}`:                                           "status.strip",
		`{"status":{"auditedThrough":"yesterday"}}`:                                                        "status.auditedThrough",
	} {
		_, err := s.audits().Patch(s.ctx, "tick", types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), field) {
			s.Errorf("%s: got %v, want that %s is invalid", patch, err, field)
		}
	}
}

func TestKubectlShowsARecord(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.create(cron{name: "tick"})
	s.must(s.recordStore("a", cluster.Admin).Save(s.ctx, s.key("tick"), outageOf("tick", string(s.cron("tick").GetUID())), true))

	lines := strings.Split(strings.TrimSpace(string(s.kubectl("get", "caudit", "-n", s.namespace))), "\n")
	if len(lines) != 2 {
		s.Fatalf("got %q", lines)
	}
	if diff := cmp.Diff([]string{"NAME", "LAST", "MISSED", "LOST", "ROLL", "AUDITED-THROUGH", "AGE"}, strings.Fields(lines[0])); diff != "" {
		s.Error(diff)
	}
	if fields := strings.Fields(lines[1]); len(fields) != 7 {
		s.Errorf("got %q", fields)
	} else if diff := cmp.Diff([]string{"tick", "Missed", "300", "3", ".Lbs?GM"}, fields[:5]); diff != "" {
		s.Error(diff)
	}
	wide := string(s.kubectl("get", "cronaudits", "-n", s.namespace, "-o", "wide"))
	for _, want := range []string{"BACKFILLED", "HEALTHY", "FiringsMissed"} {
		if !strings.Contains(wide, want) {
			s.Errorf("wide lacks %s:\n%s", want, wide)
		}
	}
	s.Logf("kubectl get cronaudits -o wide\n%s", wide)
	explained := string(s.kubectl("explain", "cronaudits.status.record.unseen"))
	if !strings.Contains(explained, "more runs ended than can be named") {
		s.Errorf("kubectl explain says nothing of it:\n%s", explained)
	}
}

func TestARecordIsWrittenBesideOtherManagers(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.create(cron{name: "tick"})
	state := auditor.State{UID: string(s.cron("tick").GetUID()), Totals: map[auditor.Verdict]int64{auditor.OnTime: 1}}
	older, newer := s.recordStore("old", cluster.Admin), s.recordStore("new", cluster.Admin)
	s.must(older.Save(s.ctx, s.key("tick"), state, true))

	apply := func(manager, fields, subresource string) error {
		object := fmt.Sprintf(`{"apiVersion":"rollcall.dev/v1alpha1","kind":"CronAudit","metadata":{"name":"tick","namespace":%q%s`, s.namespace, fields)
		var subresources []string
		if subresource != "" {
			subresources = []string{subresource}
		}
		_, err := s.audits().Patch(s.ctx, "tick", types.ApplyPatchType, []byte(object), metav1.PatchOptions{FieldManager: manager}, subresources...)
		return err
	}
	s.must(apply("gitops", `,"labels":{"team":"data"}}}`, ""))
	if err := apply("meddler", `},"status":{"totals":{"OnTime":9}}}`, "status"); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `"rollcall"`) {
		s.Errorf("somebody else took over what Rollcall counts: %v", err)
	}
	state.Totals[auditor.OnTime] = 2
	s.must(older.Save(s.ctx, s.key("tick"), state, true))
	if got := s.audited("tick"); got.GetLabels()["team"] != "data" {
		s.Errorf("the label is gone: %v", got.GetLabels())
	}

	loaded, err := newer.Load(s.ctx)
	s.must(err)
	if diff := cmp.Diff(state, loaded[s.key("tick")], cmpopts.EquateEmpty()); diff != "" {
		s.Error(diff)
	}
	state.Totals[auditor.OnTime] = 3
	s.must(newer.Save(s.ctx, s.key("tick"), state, true))
	state.Totals[auditor.OnTime] = 1
	if err := older.Save(s.ctx, s.key("tick"), state, true); !errors.Is(err, record.ErrSuperseded) {
		s.Errorf("an old leader wrote what it had not read: %v", err)
	}
	got, ok, err := older.Reload(s.ctx, s.key("tick"))
	if err != nil || !ok || got.Totals[auditor.OnTime] != 3 {
		s.Errorf("got %v, %v, %v", got.Totals, ok, err)
	}
}

func TestARecordThatWasDeletedIsBegunAgain(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.create(cron{name: "tick"})
	store := s.recordStore("a", cluster.Admin)
	state := auditor.State{UID: string(s.cron("tick").GetUID())}
	s.must(store.Save(s.ctx, s.key("tick"), state, true))
	s.must(s.audits().Delete(s.ctx, "tick", metav1.DeleteOptions{}))
	s.must(store.Save(s.ctx, s.key("tick"), state, true))
	s.expectRecord("tick", state)

	// Also where it is the garbage collector that does so, of the record of a former CronWorkflow.
	state.UID = s.makeAgain("tick")
	s.must(s.audits().Delete(s.ctx, "tick", metav1.DeleteOptions{}))
	s.must(store.Save(s.ctx, s.key("tick"), state, true))
	s.expectRecord("tick", state)
}

// TestARecordIsAdopted: as a user who may not delete anything.
func TestARecordIsAdopted(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	s.must(shared.CreateNamespace(s.ctx, s.argoNamespace()))
	s.allow(everything, permission{})
	s.create(cron{name: "tick"})
	store := s.recordStore("a", everything)
	former := outageOf("tick", string(s.cron("tick").GetUID()))
	s.must(store.Save(s.ctx, s.key("tick"), former, true))
	_, err := s.audits().Patch(s.ctx, "tick", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"data"}}}`), metav1.PatchOptions{})
	s.must(err)
	before := s.audited("tick")

	state := auditor.State{UID: s.makeAgain("tick"), Totals: map[auditor.Verdict]int64{auditor.OnTime: 1}}
	s.must(store.Save(s.ctx, s.key("tick"), state, true))
	s.expectRecord("tick", state)
	after := s.audited("tick")
	if after.GetUID() != before.GetUID() || after.GetLabels()["team"] != "data" {
		s.Errorf("got %s with labels %v, want %s as it was", after.GetUID(), after.GetLabels(), before.GetUID())
	}
	if err := store.Save(s.ctx, s.key("tick"), former, true); !errors.Is(err, record.ErrAnother) {
		s.Errorf("the former CronWorkflow's record was brought back: %v", err)
	}
	s.expectRecord("tick", state)

	// One of whom nothing is known here, as after a restart.
	state.UID = s.makeAgain("tick")
	s.must(s.recordStore("b", everything).Save(s.ctx, s.key("tick"), state, true))
	s.expectRecord("tick", state)

	// A crash between the two writes.
	state.UID = s.makeAgain("tick")
	owners := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"argoproj.io/v1alpha1","kind":"CronWorkflow","name":"tick","uid":%q}]}}`, state.UID)
	_, err = s.audits().Patch(s.ctx, "tick", types.MergePatchType, []byte(owners), metav1.PatchOptions{})
	s.must(err)
	next := s.recordStore("c", everything)
	if loaded, err := next.Load(s.ctx); len(loaded) != 0 || err != nil {
		s.Errorf("a record is relied on that says something about a former CronWorkflow: %v, %v", loaded, err)
	}
	s.must(next.Save(s.ctx, s.key("tick"), state, true))
	s.expectRecord("tick", state)
}

// makeAgain deletes a CronWorkflow and makes one of the same name; it gives the new one's UID. Nobody collects garbage here.
func (s *scenario) makeAgain(name string) string {
	s.Helper()
	s.must(shared.Dynamic().Resource(cluster.CronWorkflows).Namespace(s.namespace).Delete(s.ctx, name, metav1.DeleteOptions{}))
	s.create(cron{name: name})
	return string(s.cron(name).GetUID())
}

// expectRecord expects the record of a CronWorkflow to say just this, and to be owned by it.
func (s *scenario) expectRecord(name string, want auditor.State) {
	s.Helper()
	got, err := s.recordStore("reader", cluster.Admin).Load(s.ctx)
	s.must(err)
	if diff := cmp.Diff(map[auditor.Key]auditor.State{s.key(name): want}, got, cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("-want +got\n%s", diff)
	}
	if owners := s.audited(name).GetOwnerReferences(); len(owners) != 1 || string(owners[0].UID) != want.UID {
		s.Errorf("got owners %v, want %s", owners, want.UID)
	}
}

func TestARecordThatMayNotBeWrittenSaysSo(t *testing.T) {
	s := begin(t, 3*time.Minute)
	s.installRecords()
	store := s.recordStore("a", cluster.Nobody)
	if _, err := store.Load(s.ctx); !errors.Is(err, record.ErrForbidden) || !strings.Contains(err.Error(), `cannot list resource "cronaudits"`) {
		s.Errorf("got %v", err)
	}
	if err := store.Save(s.ctx, s.key("tick"), auditor.State{UID: "u1"}, true); !errors.Is(err, record.ErrForbidden) || !strings.Contains(err.Error(), `cannot create resource "cronaudits"`) {
		s.Errorf("got %v", err)
	}
	stranger := shared.RESTConfig("nobody else")
	stranger.BearerToken = "wrong"
	unknown, err := record.NewStore(record.Options{Config: stranger, Identity: "a", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	s.must(err)
	if _, err := unknown.Load(s.ctx); !errors.Is(err, record.ErrUnauthorized) {
		s.Errorf("got %v", err)
	}
}
