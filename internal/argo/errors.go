package argo

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Errors that can be told apart with errors.Is. What the API server or the way to it said is wrapped along with them.
var (
	// ErrNotInstalled: the cluster does not know Argo's kinds.
	ErrNotInstalled = errors.New("Argo Workflows' CRDs are not installed in this cluster")
	// ErrUnreachable: no answer from the API server.
	ErrUnreachable = errors.New("cannot reach the API server")
	// ErrUnauthorized: the API server does not know who asks.
	ErrUnauthorized = errors.New("the API server does not accept the credentials")
	// ErrForbidden: the API server knows who asks, and does not allow it.
	ErrForbidden = errors.New("not permitted")
	// ErrNoNamespace: the namespace does not exist.
	ErrNoNamespace = errors.New("there is no such namespace")
)

// explain says what was tried when the error came, and what kind of error it is. The error itself stays in the chain.
func (c *Client) explain(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	var unreachable *url.Error
	switch {
	case unknownPath(err):
		// The 404 is not in the chain: nobody is to take it for the absence of one object.
		return fmt.Errorf("%s: %w: %s", what, ErrNotInstalled, err.Error())
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w (log in again, or choose another --context or --kubeconfig): %w", what, ErrUnauthorized, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w: %w", what, ErrForbidden, err)
	case errors.As(err, &unreachable) && !errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w at %s (check --kubeconfig and --context): %w", what, ErrUnreachable, c.host, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// unknownPath says whether a 404 is about the whole kind (or comes from something else than an API server), not about one
// object: the API server answers for a kind it does not know without saying which object was meant.
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

// absent says whether the API server says that this one object does not exist. A 404 of any other origin does not: that a
// run is not there must never be concluded from it.
func absent(err error) bool { return apierrors.IsNotFound(err) && !unknownPath(err) }
