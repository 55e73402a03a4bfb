// Package web answers the controller's HTTP requests: is the process alive (/healthz), is it of use (/readyz), what are its
// metrics (/metrics).
//
// It knows net/http and how Prometheus' metrics are written. What is ready, and which metrics there are, it is given; it knows
// no cluster, judges nothing and changes nothing: there is no request that does.
package web
