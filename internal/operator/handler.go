package operator

import (
	"cmp"
	"slices"
	"time"

	"rollcall.dev/rollcall/auditor"
)

// handler carries what is seen of the cluster to the roll.
type handler struct{ *roll }

func (h handler) CronWorkflow(cw auditor.CronWorkflow) {
	h.tell(func() {
		key := auditor.Key{Namespace: cw.Namespace, Name: cw.Name}
		if before := h.crons[key]; before != nil && before.cw.UID == cw.UID && newest(cw.Status).After(newest(before.cw.Status)) {
			h.hear(newest(cw.Status))
		} else if before != nil && before.cw.UID != cw.UID || before == nil && h.term != nil {
			h.hear(cw.CreatedAt)
		}
		if s, ok := h.silent[key.Namespace]; ok && s.broken(key, cw) {
			h.tells(key.Namespace)
		}
		h.seeCronWorkflow(cw)
		c := h.crons[key]
		c.heard = h.now()
		c.doubt.hear(cw)
	})
}

// newest is when a status was last written, as far as that is known.
func newest(s auditor.Status) time.Time { return later(s.WrittenAt, s.ChangedAt) }

func (h handler) CronWorkflowGone(key auditor.Key) {
	h.tell(func() {
		if s, ok := h.silent[key.Namespace]; ok && s.key == key {
			h.tells(key.Namespace)
		}
		h.loseCronWorkflow(key)
	})
}

// tells takes in that a watch tells again that was silent.
func (h handler) tells(namespace string) {
	h.Log.Info("the watch tells again", "namespace", namespace)
	delete(h.silent, namespace)
	h.watcher.Tells(namespace, h.now())
}

func (h handler) Run(namespace string, run auditor.Run) {
	h.tell(func() { h.seeRun(namespace, run) })
}

func (h handler) RunGone(namespace string, run auditor.Run) {
	h.tell(func() { h.loseRun(namespace, run) })
}

func (h handler) Synced() {
	h.tell(func() {
		h.watcher.Begin(h.now())
		close(h.synced)
		h.Log.Info("everything has been read", "cronworkflows", len(h.crons))
	})
}

// Gap: an observation is only told of when it has been taken in, so that the Watcher hears of the gap before it hears of what
// was found afterwards.
func (h handler) Gap(since time.Time) {
	h.tell(func() {
		h.Log.Warn("what came and went unseen is not known", "from", since)
		h.watcher.Gap(h.reallySince(since), h.now())
	})
}

func (h handler) Told(namespace string, until time.Time) {
	h.tell(func() { h.watcher.Told(namespace, until) })
}

// Blind: what is missing in a namespace does not make this process useless for the others, but to wait for what is not permitted
// may be to wait for good.
//
//	watched     blind                       ready, and said to audit
//	some or all a watch broke off anywhere  no
//	some        some are forbidden          yes: RollcallPermissionDenied tells of them
//	some or all all are forbidden           no
func (h handler) Blind(namespaces, forbidden []string) {
	h.tell(func() {
		broken := slices.DeleteFunc(slices.Clone(namespaces), func(n string) bool { return slices.Contains(forbidden, n) })
		h.blind.Store(len(broken) > 0 || len(forbidden) == len(h.Scope.Watched()))
		if len(broken) > 0 {
			h.Log.Warn("a watch broke off: nothing is judged there until it is resumed", "namespaces", spoken(broken))
		}
		if len(forbidden) > 0 {
			h.Log.Warn("watching is not permitted: nothing is judged there until it is", "namespaces", spoken(forbidden))
		}
		if len(namespaces) == 0 {
			h.Log.Info("all watches work")
		}
		h.watcher.Blind(namespaces, h.now())
	})
}

func (h handler) Controller(c auditor.Controller) {
	h.tell(func() { h.watcher.SeeController(h.Scope.InstanceID, c, h.now()) })
}

func (h handler) Note(sentence string) { h.Log.Warn(sentence) }

func spoken(namespaces []string) []string {
	var said []string
	for _, namespace := range namespaces {
		said = append(said, cmp.Or(namespace, "all"))
	}
	return said
}
