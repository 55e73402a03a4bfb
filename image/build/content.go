package main

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"rollcall.dev/rollcall/image"
)

// user is the one that distroless images call nonroot, too.
const user = "65532:65532"

// spec is Rollcall's image for platform, made of content.
//
// There is no folder that its user could write to, no shell and no time zone database: the program carries one, which a
// mounted /usr/share/zoneinfo replaces.
func spec(platform, version, revision string, created time.Time, content []image.File) image.Spec {
	labels := map[string]string{
		"org.opencontainers.image.title":       "Rollcall",
		"org.opencontainers.image.description": "Calls the roll of every Argo CronWorkflow: a verdict for each due firing, recovery of lost runs exactly once, alerts.",
		"org.opencontainers.image.source":      "https://rollcall.dev/rollcall",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     version,
	}
	if revision != "" {
		labels["org.opencontainers.image.revision"] = revision
	}
	return image.Spec{
		Platform:   platform,
		Files:      content,
		Entrypoint: []string{"/rollcall"},
		User:       user,
		Env:        []string{"PATH=/"}, // for `kubectl exec … -- rollcall audit`
		Labels:     labels,
		Created:    created,
	}
}

// content is all that is in the image: the program, and what it looks for on a machine.
func content(source string, program []byte) ([]image.File, error) {
	license, err := os.ReadFile(filepath.Join(source, "LICENSE"))
	if err != nil {
		return nil, err
	}
	return []image.File{
		{Path: "/rollcall", Mode: 0o755, Data: program},
		{Path: "/LICENSE", Mode: 0o644, Data: license},
		{Path: "/etc/passwd", Mode: 0o644, Data: []byte("nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{Path: "/etc/group", Mode: 0o644, Data: []byte("nonroot:x:65532:\n")},
		{Path: "/etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certificates()},
	}, nil
}

// certificates is Mozilla's list of authorities, as go.mod pins it. One that it trusts only on conditions is left out: a
// file like this cannot tell them.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A buffer takes everything, and without headers there is nothing to encode wrongly.
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.Bytes()
}
