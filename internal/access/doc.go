// Package access knows what the controller needs permission for, asks the API server whether it has it, and says what is missing and
// what that means.
//
// It must not know how anything is done with a permission: what is missing is said, and everything else goes on.
package access
