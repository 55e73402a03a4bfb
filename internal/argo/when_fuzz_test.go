package argo

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzWhen: whatever the expression, it is judged as Argo judges it or not at all, in little time and memory.
func FuzzWhen(f *testing.F) {
	for _, expression := range asArgo {
		f.Add(expression)
	}
	for _, expression := range []string{
		`{{= all(1..4000, # > 0) }}`, `{{= sum(map(1..4999, # * 2)) > 1 }}`, `{{= split('` + strings.Repeat("a,", 1500) + `', ',')[0] == 'a' }}`,
		`{{= fromJSON('` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `') == nil }}`, `{{= 'aaaaaaaaaaaaaaaaaaaaaaaa' matches '(a+)+b' }}`,
		`{{= [` + strings.Repeat("1..99,", 300) + `1] == nil }}`, `{{= 9223372036854775807 + 1 > 0 }}`, `{{= 1 << 99999 }}`, `{{= 2 ** 1e308 > 0 }}`, `{{= 1..-1 == [] }}`, `{{= 0..9223372036854775807 }}`,
		`{{= sprig.date('` + strings.Repeat("Monday", 500) + `', now()) == '' }}`, `{{= sprig.date('2006', nil) }}`, `{{= now(nil) }}`, `{{= timezone('../../etc/passwd') }}`, `{{= toJson(now) }}`,
		strings.Repeat("1+", 2000) + "1 > 0", strings.Repeat("!", 4000) + "true", strings.Repeat("(", 4000), `'a' =~ '(a+)+$'`, "1 IN (" + strings.Repeat("1,", 1500) + "1)", "\xff == \xfe", "{{=\x00}}",
	} {
		f.Add(expression)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		hung := time.AfterFunc(3*time.Second, func() { panic("it takes more than 3s: " + expression) })
		defer hung.Stop()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := local(moment())
		got, err := nightly().Holds(expression, m)
		runtime.ReadMemStats(&after)
		const most = 64 << 20
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("it takes %d MiB: %s", took>>20, expression)
		}
		if err != nil {
			return
		}
		if want, wantErr := argoEvalWhen(nightly(), m, expression); got != want || wantErr != nil {
			t.Errorf("%s\n  Argo: %t, %v\n  here: %t", expression, want, wantErr, got)
		}
	})
}
