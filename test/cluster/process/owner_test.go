package process_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/cluster/process"
)

// asOwner makes this test binary start one process and wait.
const asOwner = "ROLLCALL_TEST_PROCESS_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asOwner); dir != "" {
		own(dir)
	}
	os.Exit(m.Run())
}

func own(dir string) {
	p, err := process.New(process.Spec{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}, Log: filepath.Join(dir, "log")})
	if err != nil {
		panic(err)
	}
	// From a goroutine whose thread ends with it: the thread that forks has to
	// be another, or the child would die here already.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- p.Start(context.Background())
	}()
	if err := <-started; err != nil {
		panic(err)
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println(p.Pid())
	if os.Getenv(asOwner+"_PANIC") != "" {
		panic("as asked")
	}
	select {}
}

func TestAProcessEndsWithItsOwner(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	for how, panics := range map[string]bool{"that is killed": false, "that panics": true} {
		t.Run(how, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			owner := exec.CommandContext(t.Context(), self)
			owner.Env = append(os.Environ(), asOwner+"="+t.TempDir())
			if panics {
				owner.Env = append(owner.Env, asOwner+"_PANIC=1")
			}
			stdout, err := owner.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := owner.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || pid == 0 {
				t.Fatalf("the owner says %q", line)
			}
			if !panics {
				if !runs(pid) {
					t.Fatalf("process %d does not outlive the thread that asked for it", pid)
				}
				if err := owner.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			_ = owner.Wait()
			for deadline := time.Now().Add(10 * time.Second); runs(pid); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("process %d lives", pid)
				}
			}
		})
	}
}
