package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"rollcall.dev/rollcall/auditor"
)

// APIVersion is the version of all kinds of this package.
const APIVersion = "rollcall.dev/v1alpha1"

// Document is a report that Kubernetes' printers can print.
type Document = runtime.Object

// Kind begins every document.
type Kind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func kind(name string) Kind { return Kind{APIVersion: APIVersion, Kind: name} }

// GetObjectKind implements runtime.Object.
func (k *Kind) GetObjectKind() schema.ObjectKind { return k }

// GroupVersionKind implements schema.ObjectKind.
func (k *Kind) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(k.APIVersion, k.Kind)
}

// SetGroupVersionKind implements schema.ObjectKind.
func (k *Kind) SetGroupVersionKind(gvk schema.GroupVersionKind) {
	k.APIVersion, k.Kind = gvk.ToAPIVersionAndKind()
}

// Totals counts firings by verdict, or by outcome. It reads in the order of the verdicts, not of the alphabet; zeros are left out.
type Totals map[auditor.Verdict]int

// Ordered are the verdicts that occur, in the order of auditor.Verdicts; whatever is none of these comes last, by name.
func (t Totals) Ordered() []auditor.Verdict {
	var order []auditor.Verdict
	for _, v := range auditor.Verdicts() {
		if t[v] > 0 {
			order = append(order, v)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(t)) {
		if t[v] > 0 && !slices.Contains(order, v) {
			order = append(order, v)
		}
	}
	return order
}

// Lost counts what should have run and did not.
func (t Totals) Lost() int { return t[auditor.Missed] + t[auditor.Expired] + t[auditor.GaveUp] }

// Sum counts all.
func (t Totals) Sum() int {
	var sum int
	for _, n := range t {
		sum += n
	}
	return sum
}

// MarshalJSON implements json.Marshaler.
func (t Totals) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range t.Ordered() {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(string(v))
		if err != nil {
			return nil, fmt.Errorf("totals: %w", err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(t[v]))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// utc is a time as documents carry it: UTC, whole seconds.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// documented is a finding as documents carry it.
func documented(f auditor.Finding) auditor.Finding {
	f.ScheduledTime, f.CreatedAt, f.Deadline = utc(f.ScheduledTime), utc(f.CreatedAt), utc(f.Deadline)
	return f
}
