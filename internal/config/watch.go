package config

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// lookEvery is how often the file is looked at. Reading it is a matter of microseconds, and sees every way in which a file can
// change: a ConfigMap's symlink that is swapped, a file behind links of links or on a network. inotify sees only some of them.
const lookEvery = 10 * time.Second

// WatchFile says in the log when the file that the current settings were read from has changed, until ctx ends. Nothing of it takes
// effect: it says which settings a restart would change, or why it would fail. What is found once is said when it is the
// same 10 s later: a file may be half written.
func WatchFile(ctx context.Context, flags *pflag.FlagSet, current Controller, log *slog.Logger) {
	if current.File == "" {
		return
	}
	log = log.With("file", current.File)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	said, found := content{data: current.Data}, content{data: current.Data}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var now content
		now.data, now.err = readFile(current.File)
		settled := now.equal(found)
		found = now
		if settled && !now.equal(said) {
			said = now
			judge(flags, current, now, log)
		}
	}
}

// content is what was found in a file, or why nothing was.
type content struct {
	data []byte
	err  error
}

func (c content) equal(other content) bool {
	return bytes.Equal(c.data, other.data) && fmt.Sprint(c.err) == fmt.Sprint(other.err)
}

// judge says what a restart with this content would do.
func judge(flags *pflag.FlagSet, current Controller, found content, log *slog.Logger) {
	next, err := loadController(flags, func(string) ([]byte, error) { return found.data, found.err })
	if err != nil {
		log.Error("the configuration file has changed and is not valid: the next start will fail; nothing has taken effect", "problems", strings.Split(err.Error(), "\n"))
		return
	}
	if keys := changed(current, next); len(keys) > 0 {
		log.Warn("the configuration file has changed: it takes effect after a restart", "keys", keys)
		return
	}
	log.Info("the configuration file has changed, and all its settings are as in effect: no restart is needed")
}

// changed are the settings in which two differ.
func changed(a, b Controller) []string {
	var keys []string
	before, after := a.values(), b.values()
	for _, key := range controllerKeys() {
		if before[key] != after[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// values are the settings in a form that can be compared.
func (c Controller) values() map[string]string {
	url := ""
	if c.AlertmanagerURL != nil {
		url = c.AlertmanagerURL.String()
	}
	values := map[string]string{}
	for key, value := range map[string]any{
		Grace: c.Grace, LateAfter: c.LateAfter, ControllerTimezone: c.ControllerZone, InstanceID: c.InstanceID, ArgoNamespace: c.ArgoNamespace,
		Backfill: c.Backfill, MaxParallel: c.MaxParallel, MaxCatchUp: c.MaxCatchUp, CatchUp: c.CatchUp, DefaultDeadline: c.DefaultDeadline,
		Namespace: c.Namespaces, LeaderElect: c.LeaderElect, LeaderElectNamespace: c.LeaderElectNamespace, LeaderElectName: c.LeaderElectName,
		MetricsAddress: c.MetricsAddress, HTTPAddress: c.HTTPAddress, AlertmanagerURL: url, LogLevel: c.LogLevel, LogFormat: c.LogFormat,
		Identity: c.Identity,
	} {
		values[key] = fmt.Sprint(value)
	}
	return values
}
