//go:build node

package isolate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// role says what this program is to do inside instead of running tests.
const role = "ROLLCALL_ISOLATE_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "" {
		os.Exit(m.Run())
	}
	in, err := Enter(Options{Forward: true})
	if err == nil {
		err = inside(in, os.Getenv(role))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inside is what the program does in its namespaces.
func inside(in *Inside, what string) error {
	switch what {
	case "look":
		interfaces, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range interfaces {
			fmt.Println("interface", i.Name, i.Flags&net.FlagUp != 0)
		}
		entries, err := os.ReadDir("/run")
		fmt.Println("run", len(entries))
		return err
	case "end with 7":
		os.Exit(7)
	case "serve":
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if err := in.Serve(listener.Addr().String()); err != nil {
			return err
		}
		// An orphan that asks for nothing and ends by nothing.
		if err := exec.Command("sh", "-c", "trap '' TERM INT; sleep 3600 & echo $! > "+filepath.Join(in.Dir, "orphan")).Run(); err != nil {
			return err
		}
		fmt.Println(in.Port, listener.Addr().(*net.TCPAddr).Port, in.Dir)
		return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "from inside") }))
	}
	return errors.New("no such role")
}

func program(what string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestInsideThereIsNoWayOutAndNothingOfOutsidesRun(t *testing.T) {
	out, err := program("look").Output()
	if want := "interface lo true\nrun 0\n"; string(out) != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestTheExitStatusComesOut(t *testing.T) {
	err := program("end with 7").Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v, want exit status 7", err)
	}
}

func TestOnePortLeadsInAndNothingOutlivesTheProgram(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"asked to end": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			cmd := program("serve")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var port, behind int
			var dir string
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if _, scanErr := fmt.Sscan(line, &port, &behind, &dir); err != nil || scanErr != nil {
				t.Fatalf("it said %q: %v, %v", line, err, scanErr)
			}
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if answer.Body.Close(); string(body) != "from inside" || err != nil {
				t.Errorf("through the port came %q, %v", body, err)
			}
			if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", behind)); err == nil {
				c.Close()
				t.Errorf("the port %d of inside is open outside", behind)
			}
			marker := dir // is in the environment of all that was started inside
			if err := cmd.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // how it ends is not the question
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				left := withInEnvironment(t, marker)
				if len(left) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("still running: %v", left)
				}
			}
			// The folder of one that was killed goes with the next.
			if err := program("end with 7").Run(); err == nil {
				t.Error("ended with 0")
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", dir, err)
			}
		})
	}
}

// withInEnvironment are the ids of processes that have a text in their environment.
func withInEnvironment(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), text) {
			all = append(all, filepath.Base(filepath.Dir(file)))
		}
	}
	return all
}
