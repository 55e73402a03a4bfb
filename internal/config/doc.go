// Package config turns flags, ROLLCALL_* environment variables, for the controller a file, and defaults, in this order of
// precedence, into validated values.
//
// It knows names, bounds and units of settings. It must not know what they are used for, nor read a file that nobody named.
package config
