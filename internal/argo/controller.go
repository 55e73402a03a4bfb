package argo

import (
	"cmp"
	"encoding/json"

	"rollcall.dev/rollcall/auditor"
)

// toLease converts a Lease.
func toLease(raw json.RawMessage) (objectName, auditor.Lease, error) {
	var w struct {
		Metadata struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
		Spec struct {
			HolderIdentity       string   `json:"holderIdentity"`
			AcquireTime          wireTime `json:"acquireTime"`
			RenewTime            wireTime `json:"renewTime"`
			LeaseDurationSeconds int64    `json:"leaseDurationSeconds"`
		} `json:"spec"`
	}
	err := json.Unmarshal(raw, &w)
	err = cmp.Or(err, w.Spec.AcquireTime.wrong("spec.acquireTime"), w.Spec.RenewTime.wrong("spec.renewTime"))
	return objectName{w.Metadata.Namespace, w.Metadata.Name}, auditor.Lease{
		Holder:     w.Spec.HolderIdentity,
		AcquiredAt: w.Spec.AcquireTime.time(),
		RenewedAt:  w.Spec.RenewTime.time(),
		Duration:   seconds(w.Spec.LeaseDurationSeconds),
	}, err
}

// toConfig converts Argo's ConfigMap. What cannot be read in it may set a time to live.
func toConfig(raw json.RawMessage) (objectName, controllerConfig, error) {
	var w struct {
		Metadata struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
		Data map[string]string `json:"data"`
	}
	err := json.Unmarshal(raw, &w)
	name := objectName{w.Metadata.Namespace, w.Metadata.Name}
	if err != nil {
		return name, unreadableConfig(name), err
	}
	c, err := parseConfig(name, w.Data)
	return name, c, err
}

func unreadableConfig(name objectName) controllerConfig {
	return controllerConfig{lifetime: lifetime{ttl: noTTL, unreadable: "ConfigMap " + name.String()}}
}
