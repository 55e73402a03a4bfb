package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
)

// Reading says which records Read reads. Config and Now are required.
type Reading struct {
	// Config is the way to the API server. It is not changed, and its limits do not count here.
	Config *rest.Config
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	// Namespaces are where to look; empty for all. Names are the CronWorkflows whose records are wanted; empty for all.
	Namespaces, Names []string
	// Now is the present time by the API server's clock.
	Now time.Time
	// Call is the most that one request takes; default 10 s.
	Call time.Duration
}

// maxNamed is how many records are read one by one before it is simpler to read all.
const maxNamed = 20

// opinion is what to think of a record.
type opinion struct {
	state auditor.State
	err   error
}

// Read reads records for somebody who writes none. Everything can be done without them, so nothing is an error: notes are
// sentences for people, which say what cannot be read or relied on. A cluster without the CustomResourceDefinition has no records,
// and no note.
func Read(ctx context.Context, r Reading) (states map[auditor.Key]auditor.State, notes []string) {
	opinions, err := r.all(ctx)
	switch {
	case errors.Is(err, ErrNotInstalled):
		return nil, nil
	case err != nil:
		return nil, []string{fmt.Sprintf("The record of the add-on cannot be read (%v): what it alone knows is left out.", err)}
	}
	states = map[auditor.Key]auditor.State{}
	for key, o := range opinions {
		switch {
		case o.err != nil:
			notes = append(notes, fmt.Sprintf("The record of CronWorkflow %s cannot be relied on and is not used: %v.", key, o.err))
		case o.state.UID != "":
			states[key] = o.state
		}
	}
	slices.Sort(notes)
	return states, notes
}

func (r Reading) all(ctx context.Context) (map[auditor.Key]opinion, error) {
	if r.Version == "" {
		r.Version = "dev"
	}
	client, err := newAPI(r.Config, r.Version, Timing{Call: r.Call}.withDefaults().Call)
	if err != nil {
		return nil, err
	}
	think := func(_ auditor.Key, i item) opinion {
		_, state, err := i.rely(r.Now)
		return opinion{state, err}
	}
	if len(r.Namespaces) != 1 || len(r.Names) == 0 || len(r.Names) > maxNamed {
		all, err := readAll(ctx, client, r.Namespaces, think)
		if len(r.Names) > 0 {
			for key := range all {
				if !slices.Contains(r.Names, key.Name) {
					delete(all, key)
				}
			}
		}
		return all, err
	}
	named := map[auditor.Key]opinion{}
	for _, name := range r.Names {
		key := auditor.Key{Namespace: r.Namespaces[0], Name: name}
		switch found, err := client.get(ctx, key); {
		case absent(err):
		case err != nil:
			return nil, explain(err, "read the record of CronWorkflow %s", key)
		default:
			named[key] = think(key, found)
		}
	}
	return named, nil
}

// Decode reads the record in the JSON of a CronAudit, as a dump has it. The state of one that nothing was written to yet has no UID.
// An error says why the record cannot be relied on; key is empty where not even that can be read.
func Decode(object []byte) (key auditor.Key, state auditor.State, err error) {
	var i item
	if err := json.Unmarshal(object, &i); err != nil {
		return key, state, err
	}
	key = auditor.Key{Namespace: i.Metadata.Namespace, Name: i.Metadata.Name}
	_, state, err = i.rely(time.Time{})
	return key, state, err
}
