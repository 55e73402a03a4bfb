// Package argo is the only package that knows Argo objects. It turns what a cluster (NewClient, Client.Snapshot,
// Client.LastLook) or a dump of one (ReadDump) holds into the values of auditor.Input, by the same conversion, and it
// carries out what package backfill decided (Client implements backfill.Looker and backfill.Writer). Watch tells a Handler of
// all changes, and of every time in which one may have gone unseen. When judges when expressions.
//
//	NewClient(cfg *rest.Config, options Options) (*Client, error)
//	(*Client).Snapshot(ctx context.Context, scope Scope) (*Snapshot, error)
//	(*Client).LastLook(ctx context.Context, namespace string, names []string) ([]auditor.Run, error)
//	(*Client).Watch(ctx context.Context, scope Scope, handler Handler) error
//	(*Client).Now() time.Time, (*Client).ClockOffset() time.Duration
//	(*Client).Look, Find, Create, Change: backfill.Submitter
//	ReadDump(files []string, stdin io.Reader, scope Scope) (*Snapshot, error)
//	When.Holds(expression string, at auditor.Moment) (bool, error)
//	NewWorkflow(cronWorkflow *unstructured.Unstructured, run backfill.NewRun, controllerZone *time.Location) *unstructured.Unstructured
//
// It must not know what a verdict is, when to recover, or how often to try: it reads, converts and writes once.
package argo
