package backfill_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"

	argoerrors "github.com/argoproj/argo-workflows/v3/util/errors"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/auditor"
	"rollcall.dev/rollcall/backfill"
)

var (
	workflows = schema.GroupResource{Group: "argoproj.io", Resource: "workflows"}
	kind      = schema.GroupKind{Group: "argoproj.io", Kind: "Workflow"}
)

// answer is what client-go makes of an answer that is no Status object, such as a proxy's.
func answer(code, retryAfter int, message string) error {
	return apierrors.NewGenericServerResponse(code, "POST", workflows, "tick-1", message, retryAfter, true)
}

// status is an answer of the API server itself.
func status(code int32, reason metav1.StatusReason, message string, causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{Causes: causes},
	}}
}

func post(err error) error {
	return &url.Error{Op: "Post", URL: "https://10.0.0.1:6443/apis/argoproj.io/v1alpha1/namespaces/default/workflows", Err: err}
}

func read(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
func dial(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

var (
	reset   = os.NewSyscallError("read", syscall.ECONNRESET)
	refused = os.NewSyscallError("connect", syscall.ECONNREFUSED)
)

// Argo's own word on each of these is checked too: where it is another, argoDiffers says why ours is wanted.
var errorTable = map[string]struct {
	err         error
	want        backfill.Sorted
	argoDiffers string
}{
	"429 with Retry-After is transient and says how long to wait": {
		err:  apierrors.NewTooManyRequests("slow down", 7),
		want: backfill.Sorted{Class: backfill.ClassTransient, RetryAfter: 7 * time.Second},
	},
	"429 of a proxy is transient": {
		err:  answer(429, 2, "busy"),
		want: backfill.Sorted{Class: backfill.ClassTransient, RetryAfter: 2 * time.Second},
	},
	"wrapping hides neither the class nor Retry-After": {
		err:  fmt.Errorf("create Workflow default/tick-1: %w", apierrors.NewTooManyRequests("slow down", 3)),
		want: backfill.Sorted{Class: backfill.ClassTransient, RetryAfter: 3 * time.Second},
	},
	"500 is transient and may have been carried out": {
		err:         apierrors.NewInternalError(errors.New("boom")),
		want:        backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
		argoDiffers: "a 5xx is the server's trouble, not the run's",
	},
	"502 of a load balancer is transient and may have been carried out": {
		err:         answer(502, 0, "bad gateway"),
		want:        backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
		argoDiffers: "a 5xx is the server's trouble, not the run's",
	},
	"503 is transient": {
		err:  apierrors.NewServiceUnavailable("starting"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"503 with Retry-After says how long to wait": {
		err:  answer(503, 4, "starting"),
		want: backfill.Sorted{Class: backfill.ClassTransient, RetryAfter: 4 * time.Second, Unsettled: true},
	},
	"504 is transient and may have been carried out": {
		err:         apierrors.NewTimeoutError("took too long", 0),
		want:        backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
		argoDiffers: "a timeout is the server's trouble, not the run's",
	},
	"a server timeout is transient": {
		err:  apierrors.NewServerTimeout(workflows, "create", 5),
		want: backfill.Sorted{Class: backfill.ClassTransient, RetryAfter: 5 * time.Second, Unsettled: true},
	},
	"a conflict is transient and was not carried out": {
		err:         apierrors.NewConflict(workflows, "tick", errors.New("the object has been modified")),
		want:        backfill.Sorted{Class: backfill.ClassTransient},
		argoDiffers: "our writes carry a resourceVersion, Argo's do not: to us a conflict says to look again",
	},
	"a conflict of the resource quota is transient": {
		err:  apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "q", errors.New("Operation cannot be fulfilled on resourcequotas")),
		want: backfill.Sorted{Class: backfill.ClassTransient},
	},
	"a timeout of the quota evaluation is transient": {
		err:  apierrors.NewInternalError(errors.New("resource quota evaluation timed out")),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"an etcd leader change is transient": {
		err:  apierrors.NewInternalError(errors.New("etcdserver: leader changed")),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"an etcd timeout without a status is transient": {
		err:  errors.New("etcdserver: request timed out"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"etcd's too many requests are transient": {
		err:  errors.New("etcdserver: too many requests"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"etcd without space is blocked": {
		err:  apierrors.NewInternalError(errors.New("etcdserver: mvcc: database space exceeded")),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed, Unsettled: true},
	},
	"an object too large for etcd is permanent": {
		err:  apierrors.NewInternalError(errors.New("etcdserver: request is too large")),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent, Unsettled: true},
	},
	"a reset connection is transient and may have been carried out": {
		err:  post(read(reset)),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"a refused connection is transient and was not carried out": {
		err:  post(dial(refused)),
		want: backfill.Sorted{Class: backfill.ClassTransient},
	},
	"a name that does not resolve is transient and was not carried out": {
		err:         post(&net.DNSError{Err: "no such host", Name: "api.example"}),
		want:        backfill.Sorted{Class: backfill.ClassTransient},
		argoDiffers: "a cluster's DNS fails with its network; Argo does not look for it beneath a url.Error",
	},
	"an answer cut off is transient and may have been carried out": {
		err:  io.ErrUnexpectedEOF,
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"a connection closed before the answer is transient": {
		err:  post(io.EOF),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"our own ten seconds are transient and may have been carried out": {
		err:         post(context.DeadlineExceeded),
		want:        backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
		argoDiffers: "Argo sets no time limit of its own",
	},
	"a TLS handshake that takes too long is transient": {
		err:  errors.New("net/http: TLS handshake timeout"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"an HTTP/2 connection that went away is transient": {
		err:  errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"an HTTP/2 connection that was lost is transient": {
		err:  errors.New("http2: client connection lost"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"a body that cannot be read is transient": {
		err:  errors.New("unexpected error when reading response body. Please retry. Original error: x"),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"client-go's own rate limit is transient and nothing was sent": {
		err:  errors.New("client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline"),
		want: backfill.Sorted{Class: backfill.ClassTransient},
	},
	"what TRANSIENT_ERROR_PATTERN matches is transient": {
		err:  status(422, metav1.StatusReasonInvalid, "storage is in flux, try later"),
		want: backfill.Sorted{Class: backfill.ClassTransient},
	},
	"an exceeded quota is blocked": {
		err:         apierrors.NewForbidden(workflows, "tick-1", errors.New("exceeded quota: few, requested: count/workflows.argoproj.io=1, used: 1, limited: 1")),
		want:        backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
		argoDiffers: "somebody has to raise the quota or delete something; trying again within seconds only hammers the API server",
	},
	"an exceeded quota is blocked even where the pattern matches it": {
		err:         apierrors.NewForbidden(workflows, "tick-1", errors.New("exceeded quota: in flux")),
		want:        backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
		argoDiffers: "somebody has to raise the quota or delete something; trying again within seconds only hammers the API server",
	},
	"a missing right is blocked": {
		err:  apierrors.NewForbidden(workflows, "tick-1", errors.New(`User "x" cannot create resource "workflows"`)),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
	},
	"a token that ran out is blocked": {
		err:  apierrors.NewUnauthorized("Unauthorized"),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
	},
	"a webhook's denial is blocked, whatever its code": {
		err:  status(400, "", `admission webhook "policy.example" denied the request: no`),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
	},
	"an admission policy's denial is blocked": {
		err:  status(422, metav1.StatusReasonInvalid, `workflows.argoproj.io "tick-1" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
	},
	"a webhook that cannot be called is transient": {
		err:  apierrors.NewInternalError(errors.New(`failed calling webhook "policy.example": Post "https://policy": dial tcp 10.0.0.9:443: connect: connection refused`)),
		want: backfill.Sorted{Class: backfill.ClassTransient, Unsettled: true},
	},
	"a certificate that is not trusted is blocked and nothing was sent": {
		err:  post(x509.UnknownAuthorityError{}),
		want: backfill.Sorted{Class: backfill.ClassBlocked, Reason: backfill.NotAllowed},
	},
	"an invalid object is permanent": {
		err:  apierrors.NewInvalid(kind, "tick-1", nil),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent},
	},
	"a bad request is permanent": {
		err:  apierrors.NewBadRequest("strict decoding error"),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent},
	},
	"an object that is too large is permanent": {
		err:  apierrors.NewRequestEntityTooLargeError("limit is 3145728"),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent},
	},
	"a namespace that is being terminated is permanent": {
		err: status(403, metav1.StatusReasonForbidden, "workflows.argoproj.io \"tick-1\" is forbidden: unable to create new content in namespace x because it is being terminated",
			metav1.StatusCause{Type: "NamespaceTerminating"}),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent},
	},
	"a namespace that is gone is permanent": {
		err:  apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent},
	},
	"a name that is taken is permanent": {
		err:  apierrors.NewAlreadyExists(workflows, "tick-1"),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.NameTaken},
	},
	"an error of our own is permanent, and whether anything was sent is not known": {
		err:  errors.New("the answer cannot be read"),
		want: backfill.Sorted{Class: backfill.ClassPermanent, Reason: auditor.Permanent, Unsettled: true},
	},
	"the user's cancelling is no failure": {
		err:  post(context.Canceled),
		want: backfill.Sorted{Class: backfill.ClassCancelled, Unsettled: true},
	},
}

const transientPattern = "in flux"

func TestClassify(t *testing.T) {
	classifier := backfill.Classifier{Transient: regexp.MustCompile(transientPattern)}
	for name, tc := range errorTable {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, classifier.Classify(tc.err)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tc.err, diff)
			}
		})
	}
}

func TestClassifyAgreesWithArgoButWhereADifferenceIsWanted(t *testing.T) {
	t.Setenv("TRANSIENT_ERROR_PATTERN", transientPattern)
	logrus.SetOutput(io.Discard)
	classifier := backfill.Classifier{Transient: regexp.MustCompile(transientPattern)}
	for name, tc := range errorTable {
		t.Run(name, func(t *testing.T) {
			argo, ours := argoerrors.IsTransientErr(tc.err), classifier.Classify(tc.err).Class == backfill.ClassTransient
			switch differs := argo != ours; {
			case differs && tc.argoDiffers == "":
				t.Errorf("%v: transient to Argo %v, to us %v, and no difference is wanted", tc.err, argo, ours)
			case !differs && tc.argoDiffers != "":
				t.Errorf("%v: transient to both %v, but a difference is wanted: %s", tc.err, argo, tc.argoDiffers)
			}
		})
	}
}

func TestClassifyTakesEveryServerErrorForTransientAndSortsTheOtherCodes(t *testing.T) {
	want := func(code int) backfill.Class {
		switch {
		case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
			return backfill.ClassTransient
		case code == http.StatusUnauthorized, code == http.StatusPaymentRequired, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
			return backfill.ClassBlocked
		}
		return backfill.ClassPermanent
	}
	for code := 400; code < 600; code++ {
		if got := (backfill.Classifier{}).Classify(answer(code, 0, "no")).Class; got != want(code) {
			t.Errorf("%d: got %s, want %s", code, got, want(code))
		}
	}
}

func TestClassifyWithoutAPatternTakesItsErrorsForWhatTheyAre(t *testing.T) {
	got := (backfill.Classifier{}).Classify(status(422, metav1.StatusReasonInvalid, "storage is in flux, try later")).Class
	if got != backfill.ClassPermanent {
		t.Errorf("got %s, want %s", got, backfill.ClassPermanent)
	}
}
