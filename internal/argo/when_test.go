package argo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Knetic/govaluate"
	"github.com/argoproj/argo-workflows/v3/util/template"
	"pgregory.net/rapid"

	"rollcall.dev/rollcall/auditor"
)

// firing is when the expressions of these tests are judged: a Monday. The run before it was an hour earlier.
var firing = time.Date(2026, 11, 23, 4, 40, 0, int(time.Millisecond), time.UTC)

func nightly() When {
	return When{
		Namespace: "default", Name: "nightly", Labels: `{"team":"data"}`, Annotations: `{"note":"it's \"quoted\""}`, Failed: 2, Succeeded: 5,
		LabelsSince: firing.Add(-time.Hour), AnnotationsSince: firing.Add(-time.Hour), CountedSince: firing.Add(-time.Hour),
	}
}

// local is the moment in the local time here, which Argo takes for its own.
func local(m auditor.Moment) auditor.Moment {
	m.At = m.At.In(time.Local)
	if !m.LastScheduled.IsZero() {
		m.LastScheduled = m.LastScheduled.In(time.Local)
	}
	return m
}

func moment() auditor.Moment {
	return auditor.Moment{At: firing, LastScheduled: firing.Truncate(time.Minute).Add(-time.Hour)}
}

// argoEvalWhen is evalWhen of Argo's workflow/cron/operator.go, which is not exported, with another clock for now().
func argoEvalWhen(w When, m auditor.Moment, expression string) (held bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	t, err := template.NewTemplate(expression)
	if err != nil {
		return false, err
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(w.Labels), &labels); err != nil {
		return false, err
	}
	var last *time.Time
	if !m.LastScheduled.IsZero() {
		last = &m.LastScheduled
	}
	text, err := t.Replace(map[string]any{
		"cronworkflow.name":              w.Name,
		"cronworkflow.namespace":         w.Namespace,
		"cronworkflow.labels":            labels,
		"cronworkflow.annotations":       labels,
		"cronworkflow.failed":            w.Failed,
		"cronworkflow.succeeded":         w.Succeeded,
		"cronworkflow.labels.json":       []byte(w.Labels),
		"cronworkflow.annotations.json":  []byte(w.Annotations),
		"cronworkflow.lastScheduledTime": last,
		"now": func(zone ...*time.Location) time.Time {
			if len(zone) > 0 {
				return m.At.In(zone[0])
			}
			return m.At
		},
	}, false)
	if err != nil {
		return false, err
	}
	if text == "" { // shouldExecute
		return true, nil
	}
	parsed, err := govaluate.NewEvaluableExpression(text)
	if err != nil {
		return false, err
	}
	result, err := parsed.Evaluate(nil)
	if err != nil {
		return false, err
	}
	held, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("%v is no bool", result)
	}
	return held, nil
}

// asArgo are expressions of every kind that is judged, true, false and wrong.
var asArgo = []string{
	// Argo's own examples.
	`{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 30 }}`,
	`{{= (now() - cronworkflow.lastScheduledTime).Seconds() > 3600 }}`,
	`{{= (now() - cronworkflow.lastScheduledTime).Hours() >= 2 }}`,
	`{{= cronworkflow.lastScheduledTime == nil }}`,
	`{{= cronworkflow.lastScheduledTime != nil && cronworkflow.lastScheduledTime.Before(now()) }}`,
	`{{= cronworkflow.lastScheduledTime.Unix() > 0 }}`,
	`{{= cronworkflow.lastScheduledTime?.Unix() }} > 0`,

	// Text and texts in it.
	`true`, `false`, `1 == 1`, `1 > 2`, `'a' == 'a'`, `'a' =~ 'b'`, `3`, `'text'`, `true &&`, `(`, `yes`, `now() > 1`, `1 IN (1, 2)`,
	`'{{cronworkflow.name}}' == 'nightly'`, `'{{ cronworkflow.namespace }}' == 'kube-system'`, `{{cronworkflow.name}} == 'nightly'`,
	`{{cronworkflow.failed}} > 1`, `{{cronworkflow.labels}} == 1`, `{{cronworkflow.labels.json}} == 1`, `{{workflow.name}} == 1`, `{{now}}`, `{{`, `{{}}`, `}}`, `{{= }}`, `{{=}}`,
	`'{{= now().Format('2006-01-02')}}' == '2026-11-23'`, `'{{= now().Format('2006-01-02')}}' > '2026-12-01'`,
	`{{= cronworkflow.failed}} < 3`, `{{= cronworkflow.failed + cronworkflow.succeeded}} == 7`, `{{= 1}}`, `{{= 'true'}}`, `{{= nil}}`, `{{= [1, 2]}}`, `{{= {'a': 1}}}`,
	`{{= cronworkflow.failed < 3}} && {{= cronworkflow.succeeded > 10}}`,
	`{{= true}}{{= true}}`, `!{{= true}}`, `{{=true}}`, `{{ =true }}`, `{{= cronworkflow.failed \u003e 1 }}`, `{{= 1 < 2 }}`,

	// Quotation marks are read as JSON's.
	`{{= cronworkflow.name == 'nightly' }}`, `{{= cronworkflow.name == "nightly" }}`, `{{= cronworkflow.name == \"nightly\" }}`, `{{= 'a\\b' == 'a' }}`, `{{= 'a\nb' == 'a' }}`,

	// Variables that there are and are not.
	`{{= cronworkflow.labels.team == 'data' }}`, `{{= cronworkflow.labels['team'] == 'data' }}`, `{{= cronworkflow.labels?.team == 'data' }}`,
	`{{= cronworkflow.annotations.team == 'data' }}`, `{{= cronworkflow.labels == nil }}`, `{{= len(cronworkflow.labels) == 1 }}`, `{{= cronworkflow['name'] == 'nightly' }}`,
	`{{= cronworkflow?.name == 'nightly' }}`, `{{= cronworkflow.owner == 'x' }}`, `{{= cronworkflow.owner ?? 'x' == 'x' }}`, `{{= (cronworkflow.owner ?? 'x') == 'x' }}`,
	`{{= cronworkflow.owner?.name == nil }}`, `{{= cronworkflow.labels.a.b ?? true }}`, `{{= workflow.name == 'x' }}`, `{{= item == 1 }}`, `{{= unknown ?? true }}`, `{{= unknown() }}`, `{{= cronworkflow }}`,
	`{{= fromJSON(string(cronworkflow.labels.json)).team == 'data' }}`, `{{= len(cronworkflow.labels.json) > 5 }}`, `{{= cronworkflow.labels.json[0] == 123 }}`,
	`{{= len(cronworkflow.annotations.json) > 5 }}`,

	// The clock and what is made of it.
	`{{= now().Weekday().String() == 'Monday' }}`, `{{= now().Hour() in [4, 5] }}`, `{{= now().Hour() in 9..17 }}`, `{{= now().Day() == 23 && now().Month().String() == 'November' }}`,
	`{{= now(timezone('Asia/Tokyo')).Hour() == 13 }}`, `{{= now().In(timezone('America/New_York')).Day() == 22 }}`, `{{= now(1) }}`, `{{= timezone('Nowhere') == nil }}`,
	`{{= now() > date('2026-11-23') }}`, `{{= now() < date('2026-11-23', '2006-01-02', 'Asia/Tokyo') }}`, `{{= now() - date('2026-11-23') > duration('4h') }}`, `{{= date('x') < now() }}`,
	`{{= now().YearDay() % 2 == 1 }}`, `{{= now().Unix() > 0 }}`, `{{= now().Nope() }}`, `{{= now().Year }}`,
	`{{= sprig.date('15:04', now()) == '04:40' }}`, `{{= sprig.date('Mon', now()) in ['Sat', 'Sun'] }}`, `{{= sprig.now().Year() > 2000 }}`, `{{= sprig.dateInZone('15', now(), 'Asia/Tokyo') == '13' }}`,
	`{{= sprig.dateInZone('15', now(), 'Nowhere') == '04' }}`, `{{= asInt(sprig.date('02', now())) <= 7 }}`, `{{= sprig.htmlDate(now()) == '2026-11-23' }}`,
	`{{= sprig.dateModify('-1h', now()).Hour() == 3 }}`, `{{= sprig.dateModify('x', now()).Hour() == 4 }}`, `{{= int(sprig.unixEpoch(now())) > 0 }}`,
	`{{= sprig.date('2006', 0) == '1970' }}`, `{{= sprig.date('2006', cronworkflow.lastScheduledTime) == '2026' }}`, `{{= sprig.toDate('2006-01-02', '2026-11-23') < now() }}`, `{{= sprig.nope() }}`,
	`{{= sprig.date(1, 2, 3) }}`,

	// The language.
	`{{= 1 + 1 == 2 and not (2 > 3) }}`, `{{= 7 / 2 == 3.5 }}`, `{{= 2 ** 3 == 8 }}`, `{{= 7 % 4 == 3 }}`, `{{= 'a' + 'b' == 'ab' }}`, `{{= 'abc' contains 'b' }}`, `{{= 'abc' startsWith 'b' }}`, `{{= 'abc' matches '^a.c$' }}`,
	`{{= 'a' in ['a', 'b'] }}`, `{{= cronworkflow.failed > 1 ? true : false }}`, `{{= if cronworkflow.failed > 1 { true } else { false } }}`, `{{= asInt('3') == 3 }}`, `{{= asFloat('1.5') == 1.5 }}`, `{{= int('x') }}`,
	`{{= all([1, 2], # > 0) }}`, `{{= any(1..10, # == 11) }}`, `{{= count(1..10, # % 2 == 0) == 5 }}`, `{{= sum(map(1..3, # * 2)) == 12 }}`, `{{= len(filter(1..10, # > 5)) == 5 }}`, `{{= first([1]) == 1 }}`,
	`{{= upper('a') + lower('B') == 'Ab' }}`, `{{= trim(' a ') == 'a' }}`, `{{= split('a,b', ',')[1] == 'b' }}`, `{{= toJson(cronworkflow.failed) == '2' }}`, `{{= max(1, 2) == 2 && min(1, 2) == 1 && abs(-1) == 1 }}`,
	`{{= round(1.5) == 2.0 && floor(1.5) == 1.0 && ceil(1.5) == 2.0 }}`, `{{= type(now()) == 'time.Time' }}`, `{{= [1, 2, 3][1:2] == [2] }}`, `{{= 1 / 0 > 1 }}`, `{{= [1][5] == 1 }}`, `{{= 'a' > 1 }}`, `{{= 1 == '1' }}`,
	`{{= ` + strings.Repeat("(", 1000) + `true` + strings.Repeat(")", 1000) + ` }}`,
	`{{= let x = 1; x == 1 }}`, `{{= true; false }}`, `{{= true | string() }}`, `{{= ! }}`, `{{= 'a`,
}

func TestWhenSaysWhatArgoSays(t *testing.T) {
	first := moment()
	first.LastScheduled = time.Time{}
	for name, m := range map[string]auditor.Moment{"after a run": local(moment()), "before the first run": local(first)} {
		t.Run(name, func(t *testing.T) {
			for _, expression := range asArgo {
				want, wantErr := argoEvalWhen(nightly(), m, expression)
				got, err := nightly().Holds(expression, m)
				if got != want || (err == nil) != (wantErr == nil) {
					t.Errorf("%s\n  Argo: %t, %v\n  here: %t, %v", expression, want, wantErr, got, err)
				}
			}
		})
	}
}

func TestWhenNeverSaysOtherThanArgo(t *testing.T) {
	parts := rapid.SampledFrom(append(strings.Fields(`{{= {{ }} cronworkflow.name cronworkflow.failed cronworkflow.lastScheduledTime cronworkflow.labels.json now() .Hour() .Unix() - + * / == != < > <= >= && || ! ( ) [ ] 'nightly' 0 1 2.5 true nil ? : ?? ?. in 1..3 all any # , " \ { } ; | matches`), asArgo...))
	rapid.Check(t, func(t *rapid.T) {
		expression := strings.Join(rapid.SliceOfN(parts, 1, 8).Draw(t, "parts"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		got, err := nightly().Holds(expression, local(moment()))
		if err != nil {
			return // it need not be judged
		}
		if want, wantErr := argoEvalWhen(nightly(), local(moment()), expression); got != want || wantErr != nil {
			t.Fatalf("%s\n  Argo: %t, %v\n  here: %t", expression, want, wantErr, got)
		}
	})
}

func TestWhenDoesNotJudgeWhatItCannot(t *testing.T) {
	for name, expression := range map[string]string{
		"a function that reads the environment":    `{{= sprig.env('HOME') == '' }}`,
		"a function that asks the network":         `{{= sprig.getHostByName('localhost') != '' }}`,
		"a function that makes up something":       `{{= len(sprig.uuidv4()) == 36 }}`,
		"a function that takes its time":           `{{= len(sprig.genPrivateKey('rsa')) > 1 }}`,
		"a function that makes a long text":        `{{= len(repeat('x', 1000000)) > 1 }}`,
		"the local time of the process":            `{{= now().Local().Hour() == 4 }}`,
		"the zone of the process":                  `{{= now(timezone('Local')).Hour() == 4 }}`,
		"a loop inside of a loop":                  `{{= all(1..4000, all(1..4000, true)) }}`,
		"too many elements":                        `{{= all(1..1000000, true) }}`,
		"too many elements in parts":               `{{= all(1..4000, true) && all(1..4000, true) }}`,
		"a text that doubles":                      `{{= len(reduce(1..40, #acc + #acc, 'x')) > 1 }}`,
		"a long expression":                        `{{= true }}` + strings.Repeat(" ", maxWhen),
		"a long text":                              strings.Repeat(`{{= 1..1000 }}`, 3),
		"a search inside of a loop":                `{{= all(1..4000, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa' matches '(a?){20}a{20}') }}`,
		"a loop over labels":                       `{{= all(cronworkflow.labels.json, # in cronworkflow.labels.json) }}`,
		"deep brackets outside of the expression":  strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000),
		"what makes the library panic, if it does": `1 ?? ? : :`,
		"nothing at all in a text":                 `''`,
		"many nodes":                               `{{= ` + strings.Repeat("!", 3000) + `true }}`,
		"a sum of many":                            `{{= 0` + strings.Repeat("+1", 1500) + ` > 0 }}`,
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			if held, err := nightly().Holds(expression, moment()); err == nil {
				t.Errorf("it was judged: %t", held)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestWhenDoesNotTakeThePresentForThePast(t *testing.T) {
	for name, c := range map[string]struct {
		expression string
		change     func(*When, *auditor.Moment)
	}{
		"lastScheduledTime that is not known": {`{{= cronworkflow.lastScheduledTime == nil }}`, func(_ *When, m *auditor.Moment) { m.LastUnknown = true }},
		"counts that have changed":            {`{{= cronworkflow.failed < 3 }}`, func(w *When, _ *auditor.Moment) { w.CountedSince = firing.Add(time.Second) }},
		"counts in a simple tag":              {`{{cronworkflow.succeeded}} < 3`, func(w *When, _ *auditor.Moment) { w.CountedSince = firing.Add(time.Second) }},
		"labels that have changed":            {`{{= len(cronworkflow.labels.json) > 2 }}`, func(w *When, _ *auditor.Moment) { w.LabelsSince = firing.Add(time.Second) }},
		"annotations that have changed":       {`{{= len(cronworkflow.annotations.json) > 2 }}`, func(w *When, _ *auditor.Moment) { w.AnnotationsSince = firing.Add(time.Second) }},
		"labels that were not kept":           {`{{= len(cronworkflow.labels.json) > 2 }}`, func(w *When, _ *auditor.Moment) { w.Labels = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			w, m := nightly(), moment()
			c.change(&w, &m)
			if held, err := w.Holds(c.expression, m); err == nil {
				t.Errorf("it was judged: %t", held)
			}
			if held, err := w.Holds(`{{= now().Hour() == 4 && cronworkflow.name == 'nightly' }}`, m); !held || err != nil {
				t.Errorf("what does not read it: %t, %v", held, err)
			}
		})
	}
}

func TestWhenReadsTheClockInTheControllersZone(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	m := moment()
	m.At, m.LastScheduled = m.At.In(tokyo), m.LastScheduled.In(tokyo)
	for _, expression := range []string{
		`{{= now().Hour() == 13 }}`, `{{= sprig.date('15', now()) == '13' }}`, `{{= sprig.now().Hour() == 13 }}`,
		`{{= sprig.date('15', cronworkflow.lastScheduledTime) == '12' }}`,
		`{{= sprig.toDate('2006-01-02 15:04', '2026-11-23 13:40') < now() }}`,
	} {
		if held, err := nightly().Holds(expression, m); !held || err != nil {
			t.Errorf("%s: %t, %v", expression, held, err)
		}
	}
	if _, err := nightly().Holds(`'2026-11-23' < '2026-11-23T04:00:00Z'`, m); err == nil {
		t.Error("a date without a zone was read in another local time than the controller's")
	}
}

func TestCronWorkflowBringsWhatItsWhenExpressionReads(t *testing.T) {
	cron := cronObject("nightly")
	set(cron, `{{= len(cronworkflow.labels.json) > 2 }}`, "spec", "when")
	set(cron, map[string]any{"team": "data"}, "metadata", "labels")
	set(cron, map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "long"}, "metadata", "annotations")
	set(cron, map[string]any{"failed": int64(2), "succeeded": int64(5)}, "status")
	set(cron, []any{
		wrote("kubectl", after(time.Minute), map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{"f:team": map[string]any{}}}}),
		wrote(controllerManager, after(time.Hour), map[string]any{"f:metadata": map[string]any{"f:annotations": map[string]any{}}, "f:status": map[string]any{}}),
	}, "metadata", "managedFields")
	var w wireCronWorkflow
	if err := json.Unmarshal(asJSON(t, cron), &w); err != nil {
		t.Fatal(err)
	}
	got := toCronWorkflow(&w, nil).When
	want := When{
		Namespace: "default", Name: "nightly", Labels: `{"team":"data"}`, Failed: 2, Succeeded: 5,
		LabelsSince: created.Add(time.Minute), AnnotationsSince: created.Add(time.Hour), CountedSince: created.Add(time.Hour),
	}
	if got != auditor.Condition(want) {
		t.Errorf("want %+v\ngot  %+v", want, got)
	}
	// A dump without managedFields does not tell since when the counts are what they are.
	w.Metadata.ManagedFields = nil
	at := auditor.Moment{At: created.Add(24 * time.Hour)}
	if _, err := toCronWorkflow(&w, nil).When.Holds(`{{= cronworkflow.failed > 0 }}`, at); err == nil {
		t.Error("counts of an unknown time were used")
	}
	if held, err := toCronWorkflow(&w, nil).When.Holds(`{{= len(cronworkflow.labels.json) > 2 }}`, at); !held || err != nil {
		t.Error(held, err)
	}
}
