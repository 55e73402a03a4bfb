// Package real examines Rollcall over real processes: etcd, kube-apiserver, an Argo controller and two replicas of the rollcall
// binary, while a script made from a seed breaks all of them. What happened is read straight from etcd, by a watch that misses
// nothing; what Rollcall said, from every CronAudit that it ever wrote and from a last audit. Package witness compares the two.
//
//	make exam ARGO=3.7 MINUTES=30 SEED=1
//
// The same seed and length give the same CronWorkflows, the same faults and the same edits at the same offsets from the beginning.
// What comes of them depends on the machine, and on where in a minute it begins.
package real
