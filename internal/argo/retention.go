package argo

import (
	"encoding/json"
	"fmt"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/auditor"
)

// Argo's own defaults for successfulJobsHistoryLimit and failedJobsHistoryLimit, which it also uses for negative values.
const (
	successfulLimit = 3
	failedLimit     = 1
)

// noTTL is a time to live that does not apply.
const noTTL time.Duration = -1

// templateName names a WorkflowTemplate, or with an empty namespace a ClusterWorkflowTemplate.
type templateName objectName

func (n templateName) String() string {
	if n.namespace == "" {
		return "ClusterWorkflowTemplate " + n.name
	}
	return "WorkflowTemplate " + objectName(n).String()
}

// lifetime is what something says about how long finished Workflows live.
type lifetime struct {
	// ttl is the shortest time to live it sets; negative when it sets none.
	ttl time.Duration
	// unreadable says what could not be read; empty when all could.
	unreadable string
}

// wireWorkflowSpec are the fields of a WorkflowSpec that matter for retention.
type wireWorkflowSpec struct {
	TTLStrategy *struct {
		AfterCompletion *int64 `json:"secondsAfterCompletion"`
		AfterSuccess    *int64 `json:"secondsAfterSuccess"`
		AfterFailure    *int64 `json:"secondsAfterFailure"`
	} `json:"ttlStrategy"`
	WorkflowTemplateRef *struct {
		Name         string `json:"name"`
		ClusterScope bool   `json:"clusterScope"`
	} `json:"workflowTemplateRef"`
}

type wireTemplate struct {
	Metadata wireMeta         `json:"metadata"`
	Spec     wireWorkflowSpec `json:"spec"`
}

// ttl is the shortest time to live that the spec sets; noTTL when it sets none. Which of the three applies depends on how a
// run ends, so any may.
func (s wireWorkflowSpec) ttl() time.Duration {
	shortest := noTTL
	if s.TTLStrategy == nil {
		return shortest
	}
	for _, n := range []*int64{s.TTLStrategy.AfterCompletion, s.TTLStrategy.AfterSuccess, s.TTLStrategy.AfterFailure} {
		if n != nil {
			shortest = shorter(shortest, seconds(*n))
		}
	}
	return shortest
}

// shorter is the shorter of two times to live, of which negative ones do not apply.
func shorter(a, b time.Duration) time.Duration {
	switch {
	case a < 0:
		return b
	case b < 0:
		return a
	}
	return min(a, b)
}

// toRetention says what the CronWorkflow itself makes of the retention of its runs, and to which template it refers.
func toRetention(namespace string, spec wfv1.CronWorkflowSpec, workflowSpec json.RawMessage) (auditor.Retention, *templateName) {
	r := auditor.Retention{Successful: successfulLimit, Failed: failedLimit, TTL: noTTL}
	if n := spec.SuccessfulJobsHistoryLimit; n != nil && *n >= 0 {
		r.Successful = int(*n)
	}
	if n := spec.FailedJobsHistoryLimit; n != nil && *n >= 0 {
		r.Failed = int(*n)
	}
	if len(workflowSpec) == 0 {
		return r, nil
	}
	var w wireWorkflowSpec
	if err := json.Unmarshal(workflowSpec, &w); err != nil {
		r.Unreadable = "ttlStrategy or workflowTemplateRef of its workflowSpec"
	}
	r.TTL = w.ttl()
	ref := w.WorkflowTemplateRef
	switch {
	case ref == nil || ref.Name == "":
		return r, nil
	case ref.ClusterScope:
		return r, &templateName{name: ref.Name}
	}
	return r, &templateName{namespace, ref.Name}
}

// controllerConfig are the settings of Argo's controller that decide how long Workflows live.
type controllerConfig struct {
	lifetime
	// policy says that it has a retentionPolicy.
	policy bool
}

// parseConfig reads the data of Argo's ConfigMap: either one item "config" with all settings in YAML, or one item for each.
func parseConfig(name objectName, data map[string]string) (controllerConfig, error) {
	c := controllerConfig{lifetime: lifetime{ttl: noTTL}}
	fail := func(key string, err error) (controllerConfig, error) {
		err = fmt.Errorf("%q in ConfigMap %s cannot be read: %w", key, name, err)
		return controllerConfig{lifetime: lifetime{ttl: noTTL, unreadable: fmt.Sprintf("%q in ConfigMap %s", key, name)}}, err
	}
	settings := struct {
		WorkflowDefaults *wireTemplate   `json:"workflowDefaults"`
		RetentionPolicy  json.RawMessage `json:"retentionPolicy"`
	}{}
	for _, item := range []struct {
		key  string
		into any
	}{
		{"config", &settings},
		{"workflowDefaults", &settings.WorkflowDefaults},
		{"retentionPolicy", &settings.RetentionPolicy},
	} {
		text, ok := data[item.key]
		if !ok {
			continue
		}
		if err := yaml.Unmarshal([]byte(text), item.into); err != nil {
			return fail(item.key, err)
		}
	}
	if settings.WorkflowDefaults != nil {
		c.ttl = settings.WorkflowDefaults.Spec.ttl()
	}
	c.policy = len(settings.RetentionPolicy) > 0 && string(settings.RetentionPolicy) != "null"
	return c, nil
}

// complete adds to a CronWorkflow's retention what its template and the controller's settings say.
func complete(r auditor.Retention, template *lifetime, config controllerConfig) auditor.Retention {
	for _, l := range []*lifetime{template, &config.lifetime} {
		if l == nil {
			continue
		}
		r.TTL = shorter(r.TTL, l.ttl)
		if r.Unreadable == "" {
			r.Unreadable = l.unreadable
		}
	}
	r.Policy = config.policy
	return r
}
