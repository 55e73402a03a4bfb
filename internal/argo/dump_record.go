package argo

import (
	"encoding/json"
	"fmt"
)

// Record is a CronAudit as a dump has it: package record knows what it says.
type Record struct {
	// Where names the file, the document and the line.
	Where string
	// Object is its JSON.
	Object json.RawMessage
}

// addRecord keeps a CronAudit as it is: what it says is not Argo's.
func (d *dump) addRecord(where string, raw json.RawMessage) error {
	var w struct {
		Metadata wireMeta `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &w); err != nil && !wrongType(err) {
		return fmt.Errorf("%s: %w", where, err)
	}
	name := w.Metadata.objectName()
	if name.name == "" {
		d.note("%s: a CronAudit without a name is left out.", where)
		return nil
	}
	d.newest = later(d.newest, w.Metadata.newest())
	d.records = append(d.records, versioned[Record]{Record{where, raw}, name, w.Metadata.ResourceVersion})
	return nil
}

func recordsOf(all []versioned[Record]) []Record {
	var records []Record
	for _, r := range newestOf(all) {
		records = append(records, r.object)
	}
	return records
}
