package main

import (
	"io"
	"log/slog"

	"k8s.io/klog/v2"

	"rollcall.dev/rollcall/internal/config"
)

// newLogger is the log of the controller.
func newLogger(out io.Writer, settings config.Controller) *slog.Logger {
	options := &slog.HandlerOptions{Level: settings.LogLevel, ReplaceAttr: readable}
	if settings.LogFormat == config.LogText {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}

// readable writes times in UTC, as everything of Rollcall's does, and durations as people write them: in JSON they would be
// nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// routeKlog has what Kubernetes' libraries say go into the log; klog knows no other way than for the whole process.
func routeKlog(log *slog.Logger) { klog.SetSlogLogger(log.With("from", "client-go")) }
