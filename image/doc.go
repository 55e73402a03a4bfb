// Package image makes container images from files, without a daemon, a base
// image or a network: the same files and settings give the same bytes, on any
// machine and at any time.
//
// An image has one layer. All in it belongs to root; its times are those that
// its Spec says.
//
// The package knows tar, OCI and Docker's archives. It must not know what is
// put into an image: Rollcall's own is described in image/build.
package image
