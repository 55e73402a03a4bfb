package backfill

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/auditor"
)

// Class is what kind of error it is: what helps against it. The zero value is no class.
type Class string

const (
	// ClassTransient: it may well work in a moment.
	ClassTransient Class = "transient"
	// ClassBlocked: it works when somebody has acted: raised a quota, granted a right, changed a webhook.
	ClassBlocked Class = "blocked"
	// ClassPermanent: it will never work.
	ClassPermanent Class = "permanent"
	// ClassCancelled: the user ended the work. It is none of the three and is not counted as a failure.
	ClassCancelled Class = "cancelled"
)

// Classes are those that are counted.
func Classes() []Class { return []Class{ClassTransient, ClassBlocked, ClassPermanent} }

// Sorted is an error with its class.
type Sorted struct {
	Class Class
	// Reason is set for ClassBlocked and ClassPermanent.
	Reason auditor.Reason
	// RetryAfter is how long the API server asks to be left alone; 0 when it did not ask.
	RetryAfter time.Duration
	// Unsettled says that the request may have been carried out all the same.
	Unsettled bool
}

// Classifier sorts errors.
type Classifier struct {
	// Transient is what Argo's TRANSIENT_ERROR_PATTERN says is transient; nil when it is not set. The caller reads it.
	Transient *regexp.Regexp
}

// Classify sorts an error of a request. What Argo itself takes for transient is transient here too (argo-workflows v3.7.18,
// util/errors.IsTransientErr), but for an exceeded quota: retrying that within seconds only hammers the API server. Beyond
// Argo, every 5xx, timeouts, conflicts and wrapped network errors are transient.
//
//	error                                                                     class
//	cancelled by the user                                                     ClassCancelled
//	exceeded quota                                                            ClassBlocked
//	TRANSIENT_ERROR_PATTERN matches                                           ClassTransient
//	namespace terminating                                                     ClassPermanent
//	etcd: out of space; the object is too large for it                        Blocked, ClassPermanent
//	408, 409 Conflict, 425, 429, 5xx, etcd leader change                      ClassTransient
//	denied by an admission webhook or policy; 401, 402, 403, 407              ClassBlocked
//	every other 4xx: invalid, not found, too large                            ClassPermanent
//	no answer: a certificate that is not trusted                              ClassBlocked
//	no answer: network errors, timeouts                                       ClassTransient
//	anything else                                                             ClassPermanent
func (c Classifier) Classify(err error) Sorted {
	s := c.sort(err)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && s.Class == ClassTransient {
		s.RetryAfter = time.Duration(seconds) * time.Second
	}
	s.Unsettled = mayBeDone(err)
	return s
}

func (c Classifier) sort(err error) Sorted {
	text := err.Error()
	code, answered := statusCode(err)
	switch {
	case errors.Is(err, context.Canceled):
		return Sorted{Class: ClassCancelled}
	case answered && code == http.StatusForbidden && strings.Contains(text, "exceeded quota"):
		return Sorted{Class: ClassBlocked, Reason: NotAllowed}
	case c.Transient != nil && c.Transient.MatchString(text):
		return Sorted{Class: ClassTransient}
	case answered && namespaceTerminating(err):
		return Sorted{Class: ClassPermanent, Reason: auditor.Permanent}
	case strings.Contains(text, "etcdserver: mvcc: database space exceeded"):
		return Sorted{Class: ClassBlocked, Reason: NotAllowed}
	case strings.Contains(text, "etcdserver: request is too large"), strings.Contains(text, "trying to send message larger than max"):
		return Sorted{Class: ClassPermanent, Reason: auditor.Permanent}
	case answered && transientCode(code), etcd(text):
		return Sorted{Class: ClassTransient}
	case answered && apierrors.IsAlreadyExists(err):
		return Sorted{Class: ClassPermanent, Reason: auditor.NameTaken}
	case answered && apierrors.IsConflict(err):
		return Sorted{Class: ClassTransient}
	case answered && (blockedCode(code) || strings.Contains(text, "denied the request") || strings.Contains(text, "denied request")):
		return Sorted{Class: ClassBlocked, Reason: NotAllowed}
	case answered:
		return Sorted{Class: ClassPermanent, Reason: auditor.Permanent}
	case untrusted(err):
		return Sorted{Class: ClassBlocked, Reason: NotAllowed}
	case network(err):
		return Sorted{Class: ClassTransient}
	}
	return Sorted{Class: ClassPermanent, Reason: auditor.Permanent}
}

// etcd: errors of a store that is busy with itself; most come with a 5xx, but not all.
func etcd(text string) bool {
	for _, t := range []string{"leader changed", "no leader", "not leader", "request timed out", "too many requests", "server stopped"} {
		if strings.Contains(text, "etcdserver: "+t) {
			return true
		}
	}
	return false
}

// statusCode is the HTTP status with which an API server answered; answered is false where there was no answer.
func statusCode(err error) (code int, answered bool) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return 0, false
	}
	if code := int(status.Status().Code); code != 0 {
		return code, true
	}
	// A few places of client-go make a status without a code.
	switch status.Status().Reason {
	case metav1.StatusReasonTooManyRequests:
		return http.StatusTooManyRequests, true
	case metav1.StatusReasonServerTimeout, metav1.StatusReasonInternalError, metav1.StatusReasonTimeout, metav1.StatusReasonServiceUnavailable:
		return http.StatusInternalServerError, true
	case metav1.StatusReasonForbidden:
		return http.StatusForbidden, true
	case metav1.StatusReasonUnauthorized:
		return http.StatusUnauthorized, true
	}
	return 0, true
}

func transientCode(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code >= http.StatusInternalServerError
}

func blockedCode(code int) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return true
	}
	return false
}

// namespaceTerminating: the cause is corev1.NamespaceTerminatingCause, set by the NamespaceLifecycle admission plugin.
func namespaceTerminating(err error) bool {
	return apierrors.HasStatusCause(err, "NamespaceTerminating") ||
		apierrors.IsForbidden(err) && strings.Contains(err.Error(), "because it is being terminated")
}

// untrusted: the connection works, but one side does not trust the other; waiting does not mend that.
func untrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &alert)
}

// networkTexts are what Argo looks for where the type of an error does not tell (util/errors.isTransientNetworkErr), and
// what net/http says of connections that ended.
var networkTexts = []string{
	"unexpected error when reading response body",
	"stream error when reading response body",
	"Connection closed by foreign host",
	"net/http: TLS handshake timeout",
	"i/o timeout",
	"connection timed out",
	"connection reset by peer",
	"connection refused",
	"http2: client connection lost",
	"http2: server sent GOAWAY and closed the connection",
	"request did not complete within requested timeout",
	"invalid connection",
	"client rate limiter Wait returned an error",
	"upper: no more rows in",
	"server closed idle connection",
	"use of closed network connection",
}

func network(err error) bool {
	var (
		netError net.Error // net.OpError, net.DNSError and url.Error among them
		urlError *url.Error
	)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return true
	case errors.As(err, &urlError):
		// Only what lies beneath tells a lost connection from a URL that is wrong.
		if urlError.Timeout() || errors.As(urlError.Err, &netError) {
			return true
		}
	case errors.As(err, &netError):
		return true
	}
	text := err.Error()
	for _, t := range networkTexts {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

// mayBeDone says whether the request may have been carried out although it ended in this error. An answer below 500 says that
// it was not; so does a connection that never came to be.
func mayBeDone(err error) bool {
	if code, answered := statusCode(err); answered && code != 0 && code < http.StatusInternalServerError && code != http.StatusRequestTimeout {
		return false
	}
	var (
		dial *net.OpError
		dns  *net.DNSError
	)
	switch {
	case errors.As(err, &dial) && dial.Op == "dial", errors.As(err, &dns), errors.Is(err, syscall.ECONNREFUSED),
		strings.Contains(err.Error(), "client rate limiter Wait returned an error"):
		return false
	}
	return !untrusted(err)
}
