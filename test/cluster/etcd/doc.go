// Package etcd tells of every change in an etcd, by its JSON gateway
// (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). It is for whoever must
// not miss one: an API server forgets what it has not told yet whenever its watch
// cache is full or built anew, etcd only when it is compacted.
//
//	w := etcd.Watch{URL: c.EtcdURL(), Prefix: "/registry/argoproj.io/workflows/", Change: note}
//	err := w.List(ctx)
//	...
//	go func() { ended <- w.Run(ctx) }()
//
// # Compaction
//
// A kube-apiserver compacts its etcd every five minutes. A Watch goes on where it
// was, so one without changes would come to be behind that, and be lost with its
// connection. Therefore it has etcd tell it how far it has come, which etcd does as
// often as --watch-progress-notify-interval says: every 5 s in package cluster.
//
// The package knows etcd. It must not know Kubernetes, Argo or Rollcall.
package etcd
