package record

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Errors that can be told apart with errors.Is. What the API server or the way to it said is wrapped along with them.
var (
	// ErrSuperseded: another Rollcall has written what this one has not read. Nothing of this record is written until it is read
	// again (Store.Reload, Store.Load).
	ErrSuperseded = errors.New("another Rollcall has written to the record since it was read here")
	// ErrAnother: the CronWorkflow of the state is gone; one of the same name may have come in its place.
	ErrAnother = errors.New("the CronWorkflow has been deleted or replaced since")
	// ErrNotInstalled: the cluster does not know CronAudits.
	ErrNotInstalled = errors.New("the CustomResourceDefinition cronaudits.rollcall.dev is not installed: set crds.install of the Helm chart, or apply charts/rollcall/files/crds")
	// ErrSchema: the cluster's CronAudits cannot hold the record, as when their schema is of an older release.
	ErrSchema = errors.New("the CustomResourceDefinition cronaudits.rollcall.dev does not fit this release: set crds.install of the Helm chart, or apply charts/rollcall/files/crds of the same release")
	// ErrForbidden: the API server does not allow it.
	ErrForbidden = errors.New("not permitted")
	// ErrUnauthorized: the API server does not accept the credentials.
	ErrUnauthorized = errors.New("the API server does not accept the credentials")
	// ErrUnreachable: no answer from the API server.
	ErrUnreachable = errors.New("cannot reach the API server")
)

// explain says what was tried when the error came, and what kind of error it is. The error itself stays in the chain.
func explain(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	var kind error
	switch {
	case errors.Is(err, context.Canceled):
	case unknownPath(err):
		kind = ErrNotInstalled
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "strict decoding"):
		kind = ErrSchema
	case apierrors.IsForbidden(err):
		kind = ErrForbidden
	case apierrors.IsUnauthorized(err):
		kind = ErrUnauthorized
	case unanswered(err):
		kind = ErrUnreachable
	}
	if kind == nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, kind, err)
}

// unanswered says whether no API server answered, as far as can be told.
func unanswered(err error) bool {
	var failed *url.Error
	return errors.As(err, &failed) || errors.Is(err, context.DeadlineExceeded)
}

// unknownPath says whether a 404 is about the whole kind, or comes from something else than an API server: for an object of a
// kind that it knows, the API server says which one it has not found.
func unknownPath(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	if details == nil || details.Name == "" {
		return true
	}
	for _, cause := range details.Causes {
		if cause.Type == metav1.CauseTypeUnexpectedServerResponse {
			return true
		}
	}
	return false
}

// absent says whether one object is not there; missing namespaces count, nothing can be in them.
func absent(err error) bool { return apierrors.IsNotFound(err) && !unknownPath(err) }

// transient says whether the same request may succeed a moment later.
func transient(err error) bool {
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case apierrors.IsTooManyRequests(err), apierrors.IsInternalError(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsServiceUnavailable(err):
		return true
	}
	return unanswered(err)
}

// general says whether an error is about the API server as a whole, so that other requests had better wait too, and how long it
// asked to be left alone.
func general(err error) (after time.Duration, whole bool) {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && seconds > 0 {
		after = time.Duration(seconds) * time.Second
	}
	for _, kind := range []error{ErrNotInstalled, ErrUnauthorized, ErrUnreachable} {
		if errors.Is(err, kind) {
			return after, true
		}
	}
	return after, apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
}
