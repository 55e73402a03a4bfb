// Package process runs the programs a test needs beside itself, so that none
// of them outlives it: a child is killed by the kernel when the process that
// started it dies, however that happens.
//
// A Process can be stopped, killed, paused, resumed and started again with the
// same command line, which is how a test makes an outage.
//
// The package knows processes, signals and log files. It must not know what it
// runs.
package process
