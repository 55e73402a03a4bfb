package alter

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryPlaceIsFoundAndAltered(t *testing.T) {
	const text = `{"b":[1,{"c":null}],"a":{"d":"x"}}`
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range Paths(value) {
		altered, err := json.Marshal(With(value, path, true))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %s", path, Kind(At(value, path)), altered))
	}
	want := []string{
		`a mapping {"a":true,"b":[1,{"c":null}]}`,
		`a.d text {"a":{"d":true},"b":[1,{"c":null}]}`,
		`b list {"a":{"d":"x"},"b":true}`,
		`b.0 whole number {"a":{"d":"x"},"b":[true,{"c":null}]}`,
		`b.1 mapping {"a":{"d":"x"},"b":[1,true]}`,
		`b.1.c null {"a":{"d":"x"},"b":[1,{"c":true}]}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if after, err := json.Marshal(value); err != nil || string(after) != `{"a":{"d":"x"},"b":[1,{"c":null}]}` {
		t.Errorf("the first has become %s, %v", after, err)
	}
}
