package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// heartbeat is how often a running build says so: the first one takes minutes
// and a silent test looks hung.
const heartbeat = 20 * time.Second

// Paths says where what was built is.
type Paths map[Binary]string

// Exe is the path of b's executable; empty if b was not asked for.
func (p Paths) Exe(b Binary) string {
	if p[b] == "" {
		return ""
	}
	return filepath.Join(p[b], recipes[b].exe)
}

// CRDs is the folder of b's CustomResourceDefinitions as upstream ships them,
// for Argo with the subfolders "minimal" and "full"; empty for what has none.
func (p Paths) CRDs(b Binary) string {
	if p[b] == "" || recipes[b].crdsDir == "" {
		return ""
	}
	return filepath.Join(p[b], "crds")
}

// Ensure builds those of which that are not in the cache yet, one after the
// other, and says where all of them are. Without which it ensures All.
//
// Progress goes to progress (nil: nowhere): a line as each build starts and
// ends, and one every 20 seconds in between. Nothing is written for what is in
// the cache already. Processes may call Ensure at the same time; one builds and
// the others wait. When ctx ends, a running build is killed.
func Ensure(ctx context.Context, progress io.Writer, which ...Binary) (Paths, error) {
	if progress == nil {
		progress = io.Discard
	}
	if len(which) == 0 {
		which = All()
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	paths := make(Paths, len(which))
	for i, b := range which {
		r, err := lookUp(b)
		if err != nil {
			return nil, err
		}
		tell := func(format string, args ...any) {
			fmt.Fprintf(progress, "binaries: %s (%d of %d): %s\n", b, i+1, len(which), fmt.Sprintf(format, args...))
		}
		dir, err := ensureOne(ctx, tell, cache, source, b, r)
		if err != nil {
			return nil, fmt.Errorf("binaries: %s: %w", b, err)
		}
		paths[b] = dir
	}
	return paths, nil
}

func ensureOne(ctx context.Context, tell func(string, ...any), cache, source string, b Binary, r recipe) (string, error) {
	j, err := newJob(ctx, filepath.Join(source, r.folder), r)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%s", b, j.key))
	if have(dir, r) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create cache (set ROLLCALL_CACHE to move it): %w", err)
	}
	unlock, err := lock(ctx, dir+".lock", func(waited time.Duration) {
		tell("another process is building it, waited %s", waited.Round(time.Second))
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if have(dir, r) { // built by whoever held the lock
		return dir, nil
	}
	if err := removeAbandoned(dir); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(cache, filepath.Base(dir)+".tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // finds nothing once renamed
	if err := j.run(ctx, tell, tmp); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", err
	}
	return dir, nil
}

// have reports whether dir holds a finished build. The folder appears by one
// rename, so its executable being there is enough.
func have(dir string, r recipe) bool {
	_, err := os.Stat(filepath.Join(dir, r.exe))
	return err == nil
}

// removeAbandoned removes what killed builds of dir left. Call it under the
// lock: then no live build owns any of it.
func removeAbandoned(dir string) error {
	old, err := filepath.Glob(dir + ".tmp-*")
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range old {
		errs = append(errs, os.RemoveAll(o))
	}
	return errors.Join(errs...)
}

// cacheDir is $ROLLCALL_CACHE, else "rollcall" in the user's cache folder.
func cacheDir() (string, error) {
	if dir := os.Getenv("ROLLCALL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("binaries: no cache folder (set ROLLCALL_CACHE): %w", err)
	}
	return filepath.Join(dir, "rollcall"), nil
}

// copyTree copies the files below from into to. Module caches are read-only, so
// modes are not kept: what cannot be removed again is no good in a cache.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
}
