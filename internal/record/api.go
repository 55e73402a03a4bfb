package record

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/internal/record/v1alpha1"
)

// fieldManager is under which name Rollcall writes.
const fieldManager = "rollcall"

// pageSize is how many CronAudits one answer to a list may hold: some MB at the most that they may be, a few hundred kB as they are.
const pageSize = 100

// metadataOnly asks for the metadata of an object without the rest.
const metadataOnly = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

// owner is the reference's kind.
const (
	ownerAPIVersion = "argoproj.io/v1alpha1"
	ownerKind       = "CronWorkflow"
	ownerResource   = "cronworkflows"
)

// api makes single requests about CronAudits; nothing repeats them.
type api struct {
	rest rest.Interface
	// call is the most that one request takes.
	call time.Duration
}

func newAPI(cfg *rest.Config, version string, call time.Duration) (*api, error) {
	cfg = dynamic.ConfigFor(cfg) // for its serializer
	cfg.AcceptContentTypes, cfg.ContentType = "application/json", "application/json"
	cfg.GroupVersion, cfg.APIPath = nil, ""
	cfg.UserAgent = "rollcall/" + version
	cfg.QPS, cfg.RateLimiter = -1, nil // the Store paces what can wait; what is urgent must not
	if cfg.WarningHandler == nil && cfg.WarningHandlerWithContext == nil {
		cfg.WarningHandler = rest.NoWarnings{}
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	base, err := rest.UnversionedRESTClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return &api{rest: base, call: call}, nil
}

// version is one version of a CronAudit, as far as another one can be written on top of it.
type version struct {
	uid, resourceVersion string
	// owner is the UID of the CronWorkflow that owns it, of that of the one it says something about; empty when there is none.
	owner, of  string
	revision   int64
	writer     string
	conditions []metav1.Condition
}

// knowledge names what a record says, whatever else is changed about its object. A record that was deleted and made again has
// another UID, and its revisions begin anew.
type knowledge struct {
	uid, writer string
	revision    int64
}

func (v version) knowledge() knowledge { return knowledge{v.uid, v.writer, v.revision} }

func (a *api) do(ctx context.Context, request *rest.Request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, a.call)
	defer cancel()
	result := request.MaxRetries(0).Do(ctx)
	if err := result.Error(); err != nil {
		return err
	}
	if into == nil {
		return nil
	}
	raw, err := result.Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

func path(namespace string, more ...string) []string {
	segments := []string{"apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version}
	if namespace != "" {
		segments = append(segments, "namespaces", namespace)
	}
	return append(append(segments, v1alpha1.Resource.Resource), more...)
}

// item is a CronAudit of which only the metadata has to be in order.
type item struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   json.RawMessage   `json:"status"`
}

// read takes an item apart. The error says that the record cannot be relied on; the version is good all the same.
func (i item) read() (version, auditor.State, error) {
	audit := v1alpha1.CronAudit{ObjectMeta: i.Metadata}
	var err error
	if len(i.Status) > 0 {
		err = json.Unmarshal(i.Status, &audit.Status)
	}
	v := versionOf(&audit)
	if err != nil {
		return v, auditor.State{}, fmt.Errorf("status: %w", err)
	}
	s, err := StateOf(&audit)
	return v, s, err
}

func versionOf(audit *v1alpha1.CronAudit) version {
	v := version{
		uid: string(audit.UID), resourceVersion: audit.ResourceVersion,
		of: audit.Status.ObservedUID, revision: audit.Status.Revision, writer: audit.Status.WrittenBy, conditions: audit.Status.Conditions,
	}
	if i := slices.IndexFunc(audit.OwnerReferences, isOwner(audit.Name)); i >= 0 {
		v.owner = string(audit.OwnerReferences[i].UID)
	}
	return v
}

// ownedBy is the reference to the CronWorkflow that owns a record, isOwner says whether one is to a CronWorkflow of that name.
func ownedBy(name, uid string) metav1.OwnerReference {
	no := false
	return metav1.OwnerReference{APIVersion: ownerAPIVersion, Kind: ownerKind, Name: name, UID: types.UID(uid), BlockOwnerDeletion: &no}
}

func isOwner(name string) func(metav1.OwnerReference) bool {
	return func(o metav1.OwnerReference) bool {
		return o.APIVersion == ownerAPIVersion && o.Kind == ownerKind && o.Name == name
	}
}

func (a *api) get(ctx context.Context, key auditor.Key) (item, error) {
	var found item
	err := a.do(ctx, a.rest.Get().AbsPath(path(key.Namespace, key.Name)...), &found)
	return found, err
}

// create makes a CronAudit without a status: that of a new object is not taken from a create.
func (a *api) create(ctx context.Context, key auditor.Key, owner string) (version, error) {
	audit := newAudit(key)
	audit.OwnerReferences = []metav1.OwnerReference{ownedBy(key.Name, owner)}
	body, err := json.Marshal(audit)
	if err != nil {
		return version{}, err
	}
	request := a.rest.Post().AbsPath(path(key.Namespace)...).Param("fieldManager", fieldManager).Param("fieldValidation", metav1.FieldValidationStrict)
	var created v1alpha1.CronAudit
	if err := a.do(ctx, request.Body(body), &created); err != nil {
		return version{}, err
	}
	return versionOf(&created), nil
}

// adopt makes the CronWorkflow with this UID the owner of a CronAudit that was read, in place of another of its name. The rest of
// the metadata stays as it is, and so does the status: it is not taken from an update of the object. Conflict says that there is
// another version by now.
func (a *api) adopt(ctx context.Context, key auditor.Key, found item, owner string) (version, error) {
	audit := newAudit(key)
	audit.ObjectMeta = found.Metadata
	audit.OwnerReferences = append(slices.DeleteFunc(slices.Clone(audit.OwnerReferences), isOwner(key.Name)), ownedBy(key.Name, owner))
	body, err := json.Marshal(audit)
	if err != nil {
		return version{}, err
	}
	request := a.rest.Put().AbsPath(path(key.Namespace, key.Name)...).Param("fieldManager", fieldManager).Param("fieldValidation", metav1.FieldValidationStrict)
	var adopted item
	if err := a.do(ctx, request.Body(body), &adopted); err != nil {
		return version{}, err
	}
	v, _, _ := adopted.read() // what it says is of another CronWorkflow
	return v, nil
}

// replace writes a status on top of a version; Conflict says that there is another version by now.
func (a *api) replace(ctx context.Context, key auditor.Key, on version, status v1alpha1.CronAuditStatus) (version, error) {
	audit := newAudit(key)
	audit.UID, audit.ResourceVersion, audit.Status = types.UID(on.uid), on.resourceVersion, status
	body, err := json.Marshal(audit)
	if err != nil {
		return version{}, err
	}
	request := a.rest.Put().AbsPath(path(key.Namespace, key.Name, "status")...).Param("fieldManager", fieldManager).Param("fieldValidation", metav1.FieldValidationStrict)
	var written item
	if err := a.do(ctx, request.Body(body), &written); err != nil {
		return version{}, err
	}
	on.resourceVersion = written.Metadata.ResourceVersion
	on.of, on.revision, on.writer, on.conditions = status.ObservedUID, status.Revision, status.WrittenBy, status.Conditions
	return on, nil
}

// cronWorkflow reads which UID the CronWorkflow has now.
func (a *api) cronWorkflow(ctx context.Context, key auditor.Key) (uid string, err error) {
	request := a.rest.Get().AbsPath("apis", "argoproj.io", "v1alpha1", "namespaces", key.Namespace, ownerResource, key.Name).SetHeader("Accept", metadataOnly)
	var found item
	err = a.do(ctx, request, &found)
	return string(found.Metadata.UID), err
}

// list reads all CronAudits of a namespace, page by page, and calls each for every one. Where reading takes so long that the API
// server no longer has the version that the first page was of, it begins again: then it calls begin again.
func (a *api) list(ctx context.Context, namespace string, begin func(), each func(item)) error {
	limit, next := pageSize, ""
	begin()
	for {
		request := a.rest.Get().AbsPath(path(namespace)...)
		if limit > 0 {
			request.Param("limit", strconv.Itoa(limit))
		}
		if next != "" {
			request.Param("continue", next)
		}
		var page struct {
			Metadata metav1.ListMeta `json:"metadata"`
			Items    []item          `json:"items"`
		}
		switch err := a.do(ctx, request, &page); {
		case apierrors.IsResourceExpired(err) && next != "":
			limit, next = 0, "" // all at once then
			begin()
			continue
		case err != nil:
			return err
		}
		for _, i := range page.Items {
			each(i)
		}
		if next = page.Metadata.Continue; next == "" {
			return nil
		}
	}
}

func newAudit(key auditor.Key) v1alpha1.CronAudit {
	return v1alpha1.CronAudit{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
	}
}
