//go:build exam

package real

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var seed = flag.Uint64("seed", 1, "the seed of the short exam")

// TestShortExam is an exam of eight minutes. Others are held by: go test ./test/exam/real -run TestShortExam -seed n.
func TestShortExam(t *testing.T) {
	if testing.Short() {
		t.Log("an exam takes eight minutes: only what it is made of is tested with -short")
		return
	}
	path := filepath.Join(t.TempDir(), "rollcall")
	if out, err := exec.Command("go", "build", "-o", path, "rollcall.dev/rollcall/cmd/rollcall").CombinedOutput(); err != nil {
		t.Fatalf("building rollcall: %v\n%s", err, out)
	}
	result, err := Run(t.Context(), Options{
		Length: Shortest, Seed: *seed, Rollcall: path, CRDs: filepath.Join("..", "..", "..", "charts", "rollcall", "files", "crds"), Out: os.Stdout,
	})
	if err != nil {
		t.Fatal(err)
	}
	result.Print(os.Stdout)
	if !result.Passed() {
		t.Errorf("Rollcall made mistakes; see the report above, and replay it with -seed %d", *seed)
	}
	for _, why := range result.Shortfall() {
		t.Errorf("the exam shows too little: %s", why)
	}
}
