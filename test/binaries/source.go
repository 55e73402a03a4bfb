package binaries

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// sourceDir is the folder of this package's source, where the pinning modules
// are. The compiler knows it unless this was built with -trimpath; then it is
// looked for above the working folder, which for a test is its package's.
//
// The modules cannot be embedded instead: go:embed does not look into a folder
// that holds a go.mod.
func sourceDir() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) && isSource(filepath.Dir(file)) {
		return filepath.Dir(file), nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return sourceAbove(wd)
}

func sourceAbove(wd string) (string, error) {
	for dir := wd; ; dir = filepath.Dir(dir) {
		if s := filepath.Join(dir, "test", "binaries"); isSource(s) {
			return s, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("binaries: no folder test/binaries above %s: run inside the Rollcall checkout", wd)
		}
	}
}

func isSource(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, recipes[Etcd].folder, "go.mod"))
	return err == nil
}
