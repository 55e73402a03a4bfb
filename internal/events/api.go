package events

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// component is who makes the Events: the column From of kubectl describe.
const component = "rollcall"

// The kind that the Events are about.
const (
	objectAPIVersion = "argoproj.io/v1alpha1"
	objectKind       = "CronWorkflow"
)

func newAPI(cfg *rest.Config, version string) (rest.Interface, error) {
	cfg = dynamic.ConfigFor(cfg) // for its serializer
	cfg.AcceptContentTypes, cfg.ContentType = "application/json", "application/json"
	cfg.GroupVersion, cfg.APIPath = nil, ""
	cfg.UserAgent = "rollcall/" + version
	cfg.QPS, cfg.RateLimiter = -1, nil // the Recorder has its own pace
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
	return base, nil
}

// create makes the Event of a series.
func (r *Recorder) create(ctx context.Context, s series) error {
	kind := corev1.EventTypeNormal
	if s.warning {
		kind = corev1.EventTypeWarning
	}
	body, err := json.Marshal(corev1.Event{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.object.Namespace, Name: s.event},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: objectAPIVersion, Kind: objectKind, Namespace: s.object.Namespace, Name: s.object.Name, UID: types.UID(s.object.UID),
		},
		Reason: string(s.reason), Type: kind, Message: s.text(), Count: int32(s.count),
		FirstTimestamp: metav1.NewTime(s.first), LastTimestamp: metav1.NewTime(s.last),
		Source: corev1.EventSource{Component: component}, ReportingController: component, ReportingInstance: r.options.Identity,
	})
	if err != nil {
		return err
	}
	return r.do(ctx, r.api.Post().SetHeader("Content-Type", "application/json").AbsPath(collection(s)...).Body(body))
}

// change has the Event of a series say what the series says now.
func (r *Recorder) change(ctx context.Context, s series) error {
	body, err := json.Marshal(map[string]any{
		"message": s.text(), "count": s.count, "lastTimestamp": metav1.NewTime(s.last),
	})
	if err != nil {
		return err
	}
	return r.do(ctx, r.api.Patch(types.MergePatchType).AbsPath(append(collection(s), s.event)...).Body(body))
}

func collection(s series) []string {
	return []string{"api", "v1", "namespaces", s.object.Namespace, "events"}
}

// do makes one request, which nothing repeats.
func (r *Recorder) do(ctx context.Context, request *rest.Request) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	return request.MaxRetries(0).Do(ctx).Error()
}
