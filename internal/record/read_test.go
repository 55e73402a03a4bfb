package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
)

func reading(api *server, namespaces, names []string) Reading {
	return Reading{Config: &rest.Config{Host: "http://api", Transport: api}, Namespaces: namespaces, Names: names, Now: noon}
}

func TestReadGivesTheRecordsThatAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		namespaces, names []string
		want              int
		asks              []string
	}{
		"all":                      {nil, nil, 250, []string{"cronaudits", "cronaudits", "cronaudits"}},
		"of a namespace":           {[]string{"team-1"}, nil, 125, []string{"namespaces/team-1/cronaudits", "namespaces/team-1/cronaudits"}},
		"of a name, wherever":      {nil, []string{"c003"}, 1, []string{"cronaudits", "cronaudits", "cronaudits"}},
		"of names in a namespace":  {[]string{"team-1"}, []string{"c003", "c002", "c005"}, 2, []string{"namespaces/team-1/cronaudits/c003", "namespaces/team-1/cronaudits/c002", "namespaces/team-1/cronaudits/c005"}},
		"of a namespace with none": {[]string{"team-9"}, nil, 0, []string{"namespaces/team-9/cronaudits"}},
	} {
		t.Run(name, func(t *testing.T) {
			api := newServer()
			saved := saved(t, api)
			got, notes := Read(t.Context(), reading(api, c.namespaces, c.names))
			if len(got) != c.want || len(notes) > 0 {
				t.Errorf("%d records, %q", len(got), notes)
			}
			for key, state := range got {
				if diff := cmp.Diff(saved[key], state, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s:\n%s", key, diff)
				}
			}
			var asks []string
			for _, path := range c.asks {
				asks = append(asks, "GET "+base+"/"+path)
			}
			if diff := cmp.Diff(asks, api.asked()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeReadIsANote(t *testing.T) {
	for name, c := range map[string]struct {
		names []string
		reply *reply
		err   error
		want  string
	}{
		"no CRD":                     {nil, notServed(), nil, ""},
		"no CRD, asked for one":      {[]string{"tick"}, notServed(), nil, ""},
		"no permission":              {nil, refuses(403, metav1.StatusReasonForbidden, "cronaudits is forbidden"), nil, "The record of the add-on cannot be read (read the records in namespace default: not permitted: "},
		"no permission for just one": {[]string{"tick", "tock"}, refuses(403, metav1.StatusReasonForbidden, "forbidden"), nil, "The record of the add-on cannot be read (read the record of CronWorkflow default/tick: not permitted: "},
		"no answer":                  {nil, nil, errRefused, "The record of the add-on cannot be read (read the records in namespace default: cannot reach the API server: "},
	} {
		t.Run(name, func(t *testing.T) {
			api := newServer()
			api.breaks(func(string) (*reply, error) { return c.reply, c.err })
			states, notes := Read(t.Context(), reading(api, []string{"default"}, c.names))
			if len(states) > 0 || (c.want == "") != (len(notes) == 0) || len(notes) > 1 {
				t.Fatalf("%v, %q", states, notes)
			}
			if c.want != "" && !strings.HasPrefix(notes[0], c.want) {
				t.Errorf("got %q", notes[0])
			}
		})
	}
}

func TestARecordThatCannotBeReliedOnIsNotRead(t *testing.T) {
	api := newServer()
	save(t, newStore(t, api, "b"), tick, known(1), true)
	audit := api.audits[tick]
	audit.Status.AuditedThrough = metav1.Time{Time: noon.Add(time.Hour)}
	api.audits[tick] = audit
	states, notes := Read(t.Context(), reading(api, nil, nil))
	want := []string{"The record of CronWorkflow default/tick cannot be relied on and is not used: status.auditedThrough is in the future."}
	if diff := cmp.Diff(want, notes); diff != "" || len(states) > 0 {
		t.Errorf("%v %s", states, diff)
	}
}

func TestDecodeReadsTheRecordOfADump(t *testing.T) {
	api := newServer()
	save(t, newStore(t, api, "b"), tick, known(1), true)
	object, err := json.Marshal(api.audits[tick])
	if err != nil {
		t.Fatal(err)
	}
	key, state, err := Decode(object)
	if diff := cmp.Diff(known(1), state, cmpopts.EquateEmpty()); diff != "" || key != tick || err != nil {
		t.Errorf("%s, %v %s", key, err, diff)
	}
	for name, c := range map[string]struct {
		object string
		key    auditor.Key
		wrong  string
	}{
		"blank":            {`{"metadata":{"name":"tick","namespace":"default"}}`, tick, ""},
		"edited by hand":   {strings.Replace(string(object), `"observedUID":"u1"`, `"observedUID":"u1","auditedThrough":"yesterday"`, 1), tick, "yesterday"},
		"of another owner": {strings.Replace(string(object), `"observedUID":"u1"`, `"observedUID":"u2"`, 1), tick, "another CronWorkflow"},
		"not an object":    {`[]`, auditor.Key{}, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			key, state, err := Decode([]byte(c.object))
			if key != c.key || state.UID != "" || (c.wrong == "") != (err == nil) {
				t.Fatalf("%s, %v, %v", key, state, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Error(err)
			}
		})
	}
}
