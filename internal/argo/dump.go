package argo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// ReadDump reads Kubernetes YAML or JSON, as "kubectl get cwf,wf,wftmpl,lease -A -o yaml --show-managed-fields" writes it:
// documents and lists of CronWorkflows, Workflows, WorkflowTemplates, ClusterWorkflowTemplates, CronAudits, Leases and Argo's
// ConfigMap. Any other kind, and what is neither YAML nor JSON, is an error that names the file, the document and the line;
// one malformed object is not: a CronWorkflow carries its error, any other is mentioned in the notes. Where an object is
// there twice the newer one counts. CronAudits are not understood here, but handed on, whatever the scope.
//
// A file named "-" is stdin; of a folder all files *.yaml, *.yml and *.json are read.
func ReadDump(files []string, stdin io.Reader, scope Scope) (*Snapshot, error) {
	if len(files) == 0 {
		return nil, errors.New("no dump to read: name a file, a folder, or - for standard input")
	}
	scope = scope.withDefaults()
	d := dump{scope: scope, templates: map[templateName]lifetime{}}
	for _, file := range files {
		if err := d.readPath(file, stdin); err != nil {
			return nil, err
		}
	}
	return d.snapshot()
}

// accepted ends every error about an object that a dump may not hold.
const accepted = "accepted are CronWorkflow, Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronAudit, Lease, the ConfigMap " +
	configName + ", and lists of these"

// maxDepth is how deep lists may lie in lists.
const maxDepth = 8

type dump struct {
	scope     Scope
	crons     []cronWorkflow
	workflows []versioned[workflow]
	templates map[templateName]lifetime
	lease     *auditor.Lease
	leased    bool // there is a Lease of that name, whatever it says
	config    *controllerConfig
	records   []versioned[Record]
	newest    time.Time
	notes     []string
}

// versioned is an object with its identity and version, so that the newer of two can be told.
type versioned[T any] struct {
	object  T
	name    objectName
	version string
}

func (d *dump) readPath(path string, stdin io.Reader) error {
	if path == "-" {
		content, err := io.ReadAll(stdin)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		return d.read("standard input", content)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read dump: %w", err)
	}
	paths := []string{path}
	if info.IsDir() {
		if paths, err = dumpsIn(path); err != nil {
			return err
		}
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read dump: %w", err)
		}
		if err := d.read(path, content); err != nil {
			return err
		}
	}
	return nil
}

func dumpsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read dump: %w", err)
	}
	var paths []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".yaml", ".yml", ".json":
			if !e.IsDir() {
				paths = append(paths, filepath.Join(folder, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("read dump: folder %s has no file *.yaml, *.yml or *.json", folder)
	}
	return paths, nil
}

func (d *dump) read(file string, content []byte) error {
	documents, err := readDocuments(file, content)
	if err != nil {
		return err
	}
	if len(documents) == 0 {
		return fmt.Errorf("%s is empty; %s", file, accepted)
	}
	for _, doc := range documents {
		if err := d.add(doc.where, doc.json, wireHeader{}, 0); err != nil {
			return err
		}
	}
	return nil
}

type wireHeader struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// add takes one object. Items of a typed list may leave out their kind: then it is the list's.
func (d *dump) add(where string, raw json.RawMessage, item wireHeader, depth int) error {
	var header wireHeader
	if err := json.Unmarshal(raw, &header); err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	if header.Kind == "" {
		header = item
	}
	if header.Kind == "" {
		return fmt.Errorf("%s: not a Kubernetes object, it has no kind; %s", where, accepted)
	}
	if of, ok := strings.CutSuffix(header.Kind, "List"); ok {
		return d.addList(where, raw, wireHeader{header.APIVersion, of}, depth+1)
	}
	apiGroup, _, grouped := strings.Cut(header.APIVersion, "/")
	if !grouped {
		apiGroup = ""
	}
	switch apiGroup + " " + header.Kind {
	case group + " CronWorkflow":
		return d.addCronWorkflow(where, raw)
	case group + " Workflow":
		return d.addWorkflow(where, raw)
	case group + " WorkflowTemplate", group + " ClusterWorkflowTemplate":
		return d.addTemplate(where, raw)
	case leases.Group + " Lease":
		return d.addLease(where, raw)
	case " ConfigMap":
		return d.addConfig(where, raw)
	case "rollcall.dev CronAudit":
		return d.addRecord(where, raw)
	}
	if header.APIVersion == "" {
		return fmt.Errorf("%s: the %s has no apiVersion; %s", where, header.Kind, accepted)
	}
	return fmt.Errorf("%s: %s (%s) does not belong here; %s", where, header.Kind, header.APIVersion, accepted)
}

func (d *dump) addList(where string, raw json.RawMessage, item wireHeader, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: lists in lists, more than %d deep", where, maxDepth)
	}
	if item.Kind == "" { // kind: List, whose items say what they are
		item = wireHeader{}
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("%s: the items of the list cannot be read: %w", where, err)
	}
	for i, object := range list.Items {
		if err := d.add(fmt.Sprintf("%s, item %d", where, i+1), object, item, depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) addCronWorkflow(where string, raw json.RawMessage) error {
	var w wireCronWorkflow
	err := json.Unmarshal(raw, &w)
	if err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	if w.Metadata.Name == "" {
		d.note("%s: a CronWorkflow without a name is left out.", where)
		return nil
	}
	c := toCronWorkflow(&w, err)
	c.Status.ChangedAt = time.Time{} // files may be of different times: it may have been written to since
	d.newest = later(d.newest, c.newest)
	d.crons = append(d.crons, c)
	return nil
}

func (d *dump) addWorkflow(where string, raw json.RawMessage) error {
	var w wireWorkflow
	err := json.Unmarshal(raw, &w)
	if err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	object := toWorkflow(&w, err)
	name := object.objectName()
	switch {
	case name.name == "":
		object.unreadable = cmp.Or(object.unreadable, errors.New("metadata.name is missing"))
		name.name = where // there may be several
	case w.Metadata.CreationTimestamp == "":
		object.unreadable = cmp.Or(object.unreadable, errors.New("metadata.creationTimestamp is missing"))
	}
	if object.unreadable != nil {
		d.note("%s: %s", where, object.malformed())
	}
	d.newest = later(d.newest, object.newest)
	d.workflows = append(d.workflows, versioned[workflow]{object, name, w.Metadata.ResourceVersion})
	return nil
}

func (d *dump) addTemplate(where string, raw json.RawMessage) error {
	var w wireTemplate
	err := json.Unmarshal(raw, &w)
	if err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	d.newest = later(d.newest, w.Metadata.newest())
	name := templateName(w.Metadata.objectName())
	l := lifetime{ttl: w.Spec.ttl()}
	if err != nil {
		l.unreadable = name.String()
		d.note("%s: %s is malformed: %v.", where, name, err)
	}
	d.templates[name] = l
	return nil
}

func (d *dump) addLease(where string, raw json.RawMessage) error {
	name, lease, err := toLease(raw)
	if err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	d.newest = later(d.newest, lastRenewal(raw, lease))
	d.leased = d.leased || name == d.scope.lease()
	switch {
	case name != d.scope.lease(): // some other component's
	case err != nil:
		d.note("%s: Lease %s is malformed (%v) and not used.", where, name, err)
	case d.lease == nil || lease.RenewedAt.After(d.lease.RenewedAt):
		d.lease = &lease
	}
	return nil
}

// lastRenewal is when the lease was last written: by the API server's clock, as managedFields tell; else by its holder's, which may be wrong,
// as that of one node of many easily is.
func lastRenewal(raw json.RawMessage, lease auditor.Lease) time.Time {
	var w struct {
		Metadata wireMeta `json:"metadata"`
	}
	err := json.Unmarshal(raw, &w)
	switch {
	case err == nil && len(w.Metadata.ManagedFields) > 0:
		return w.Metadata.newest()
	case w.Metadata.Namespace == nodeLeases:
		return time.Time{}
	}
	return later(lease.AcquiredAt, lease.RenewedAt)
}

func (d *dump) addConfig(where string, raw json.RawMessage) error {
	name, config, err := toConfig(raw)
	argos := d.scope.config()
	switch {
	case err != nil && name != argos && !wrongType(err):
		return fmt.Errorf("%s: %w", where, err)
	case name == argos:
		if err != nil {
			d.note("%s: %v.", where, err)
		}
		d.config = &config
	case err != nil && d.config == nil && (name.name == "" || name.name == argos.name) && (name.namespace == "" || name.namespace == argos.namespace):
		d.note("%s: a ConfigMap is malformed (%v); it may be %s.", where, err, argos)
		d.config = &config
	}
	return nil // a list of all ConfigMaps has many others
}

func (d *dump) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

func (d *dump) snapshot() (*Snapshot, error) {
	f := found{
		known:     newestOf(d.crons),
		templates: d.templates,
		lease:     d.lease,
	}
	f.known = slices.DeleteFunc(f.known, func(c cronWorkflow) bool { return !d.scope.inNamespace(c.Namespace) })
	var outside int
	var err error
	if f.chosen, outside, err = d.scope.choose(f.known); err != nil {
		return nil, fmt.Errorf("in the dump: %w", err)
	}
	// What is in other namespaces may be the work of another controller of Argo's.
	for _, w := range newestOf(d.workflows) {
		nowhere := w.object.unreadable != nil && w.object.namespace == ""
		if nowhere || d.scope.inNamespace(w.object.namespace) {
			f.workflows = append(f.workflows, w.object)
		}
	}
	notes := d.notes
	if d.config != nil {
		f.config = *d.config
	} else {
		f.config = controllerConfig{lifetime: lifetime{ttl: noTTL}}
		notes = append(notes, fmt.Sprintf("The dump has no ConfigMap %s: Argo's workflowDefaults and retentionPolicy are taken as not set.", d.scope.config()))
	}
	if !d.leased {
		notes = append(notes, fmt.Sprintf("The dump has no Lease %s: whether Argo's controller was alive is judged from what it wrote.", d.scope.lease()))
	}
	untracked := 0
	for _, c := range f.chosen {
		if !c.tracked {
			untracked++
			for i := range c.Epochs {
				c.Epochs[i].Traceless = true
			}
		}
	}
	if untracked > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d CronWorkflows in the dump have no managedFields (kubectl leaves them out unless told --show-managed-fields): "+
			"their spec is taken as unchanged since creation, so that without a record none is lost for certain.", untracked, len(f.chosen)))
	}
	if ran := func(c cronWorkflow) bool { return !c.Status.LastScheduledTime.IsZero() }; len(d.workflows) == 0 && slices.ContainsFunc(f.chosen, ran) {
		notes = append(notes, "The dump has no Workflow at all, though CronWorkflows in it have run: what became of the runs cannot be told from it (make it with kubectl get lease,cwf,wf).")
		for i := range f.chosen {
			f.chosen[i].Retention.Unreadable = "the Workflows (the dump has none)"
		}
	}
	observed, more := f.assemble(d.scope.InstanceID)
	return &Snapshot{CronWorkflows: observed, Records: recordsOf(d.records), Now: d.newest, Notes: append(notes, more...), OutsideInstance: outside}, nil
}

// identified is an object of which a dump may hold several versions.
type identified interface{ identity() (objectName, string) }

func (c cronWorkflow) identity() (objectName, string) { return c.objectName(), c.resourceVersion }
func (v versioned[T]) identity() (objectName, string) { return v.name, v.version }

// newestOf keeps of each object the newest version: the highest resourceVersion, else the one that came last.
func newestOf[T identified](objects []T) []T {
	kept := make([]T, 0, len(objects))
	at := make(map[objectName]int, len(objects))
	for _, o := range objects {
		name, version := o.identity()
		i, ok := at[name]
		if !ok {
			at[name] = len(kept)
			kept = append(kept, o)
			continue
		}
		if _, old := kept[i].identity(); !older(version, old) {
			kept[i] = o
		}
	}
	return kept
}

// older compares resourceVersions, which the API server counts up; what is not a number is not older.
func older(version, than string) bool {
	a, errA := strconv.ParseUint(version, 10, 64)
	b, errB := strconv.ParseUint(than, 10, 64)
	return errA == nil && errB == nil && a < b
}
