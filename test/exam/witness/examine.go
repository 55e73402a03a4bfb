package witness

// Examine holds what was said and done against what happened. Its report's Mistakes are in the order of kind, CronWorkflow and
// time.
func Examine(truth Truth, said Said, rules Rules) Report {
	return Report{}
}
