package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"rollcall.dev/rollcall/image"
)

const module = "../.." // the module's folder, from a test's

func rollcall(t *testing.T) image.Spec {
	t.Helper()
	files, err := content(module, []byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	return spec("linux/amd64", "$TAG", "$REVISION", time.Unix(0, 0), files)
}

func file(t *testing.T, spec image.Spec, path string) image.File {
	t.Helper()
	i := slices.IndexFunc(spec.Files, func(f image.File) bool { return f.Path == path })
	if i < 0 {
		t.Fatalf("%s is not in the image", path)
	}
	return spec.Files[i]
}

func TestTheImageHoldsNoShellAndNothingItsUserCouldChange(t *testing.T) {
	var paths []string
	for _, f := range rollcall(t).Files {
		paths = append(paths, f.Path)
		if f.Mode&0o022 != 0 {
			t.Errorf("%s has mode %v: others than root may write to it", f.Path, f.Mode)
		}
		if program := f.Mode&0o111 != 0; program != (f.Path == "/rollcall") {
			t.Errorf("%s has mode %v", f.Path, f.Mode)
		}
	}
	slices.Sort(paths)
	want := []string{"/LICENSE", "/etc/group", "/etc/passwd", "/etc/ssl/certs/ca-certificates.crt", "/rollcall"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheUserHasANameAndIsNotRoot(t *testing.T) {
	s := rollcall(t)
	uid, gid, found := strings.Cut(s.User, ":")
	// Kubernetes' runAsNonRoot accepts nothing but a number.
	if !found || uid != "65532" || gid != "65532" {
		t.Fatalf("the user is %q", s.User)
	}
	if got := string(file(t, s, "/etc/passwd").Data); !strings.HasPrefix(got, "nonroot:x:"+uid+":"+gid+":") {
		t.Errorf("/etc/passwd: %q", got)
	}
	if got := string(file(t, s, "/etc/group").Data); !strings.HasPrefix(got, "nonroot:x:"+gid+":") {
		t.Errorf("/etc/group: %q", got)
	}
}

func TestTheCertificatesAreThoseThatAreTrustedWithoutConditions(t *testing.T) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(file(t, rollcall(t), "/etc/ssl/certs/ca-certificates.crt").Data) {
		t.Fatal("no certificate could be read")
	}
	want, n := x509.NewCertPool(), 0
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		want.AddCert(cert)
		n++
	}
	if !pool.Equal(want) || n < 100 {
		t.Errorf("the file does not hold the %d certificates of the bundle", n)
	}
	// A reader that stops at the first block it does not know must find nothing else.
	for rest := certificates(); len(rest) > 0; {
		var block *pem.Block
		before := rest
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			t.Fatalf("not a certificate: %.60q", before)
		}
	}
}

// TestTheDockerfileDescribesTheSameImage: no container engine runs here, so what can be read of it is held against spec.
func TestTheDockerfileDescribesTheSameImage(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	want := rollcall(t)
	build, final, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("the last stage is not FROM scratch")
	}

	labels := map[string]string{}
	var env, others []string
	for line := range strings.Lines(final) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "":
		case "LABEL":
			name, value, _ := strings.Cut(rest, "=")
			labels[name] = strings.Trim(value, `"`)
		case "ENV":
			env = append(env, rest)
		case "USER":
			if rest != want.User {
				t.Errorf("USER is %s, want %s", rest, want.User)
			}
		case "ENTRYPOINT":
			var entrypoint []string
			if err := json.Unmarshal([]byte(rest), &entrypoint); err != nil || !slices.Equal(entrypoint, want.Entrypoint) {
				t.Errorf("ENTRYPOINT is %s (%v), want %q", rest, err, want.Entrypoint)
			}
		default:
			others = append(others, instruction+" "+rest)
		}
	}
	if diff := cmp.Diff(want.Labels, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Env, env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ARG TAG=dev", "ARG REVISION=unknown", "COPY --from=build /rootfs/ /"}, others); diff != "" {
		t.Errorf("what else the last stage does (-want +got):\n%s", diff)
	}
	for _, once := range []string{"\nUSER ", "\nENTRYPOINT "} {
		if strings.Count(final, once) != 1 {
			t.Errorf("%d times %q", strings.Count(final, once), once)
		}
	}

	if got, want := submatch(t, build, `FROM .*golang:(\S+) AS build`), submatch(t, read(t, module+"/go.mod"), `(?m)^go (\d+\.\d+)`); got != want {
		t.Errorf("it builds with Go %s, go.mod says %s", got, want)
	}
	inMake := strings.NewReplacer("$(VERSION)", "$VERSION", "$(COMMIT)", "$COMMIT").Replace(
		submatch(t, read(t, module+"/Makefile"), `(?m)^LDFLAGS := (.*)$`))
	if got := submatch(t, build, `go run ./image/build .*-ldflags "([^"]*)" -rootfs /rootfs`); got != inMake {
		t.Errorf("-ldflags is %q, in the Makefile %q", got, inMake)
	}
}

func submatch(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s", pattern)
	}
	return m[1]
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
