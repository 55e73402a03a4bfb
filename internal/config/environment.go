package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// variableSet says whether a setting's variable is set. One that is empty counts as not set, as viper has it: scripts and charts
// pass on what they were given, and often that is nothing.
func variableSet(name string) bool { return os.Getenv(Variable(name)) != "" }

// ofOthers are variables with our prefix that are none of ours to read: where tests keep what they build.
var ofOthers = []string{"ROLLCALL_CACHE"}

// ofService matches how the variables end that Kubernetes sets in every container for a Service of the namespace
// (pkg/kubelet/envvars/envvars.go); they begin with the Service's name.
var ofService = regexp.MustCompile(`^_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)$`)

// unknownVariables are errors about the variables with our prefix that nobody reads; environment is of the form NAME=value.
func unknownVariables(environment []string, known []string) []error {
	// A Service named rollcall may well be there. One whose name begins so is known by the variable that always comes along, or
	// ROLLCALL_METRICS_PORT would not be noticed as a mistake.
	services := []string{envPrefix}
	var names []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix+"_") {
			continue
		}
		names = append(names, name)
		if service, ok := strings.CutSuffix(name, "_SERVICE_HOST"); ok {
			services = append(services, service)
		}
	}
	var variables []string
	for _, name := range known {
		variables = append(variables, Variable(name))
	}
	slices.Sort(names)
	var problems []error
	for _, name := range names {
		of := func(service string) bool {
			end, ok := strings.CutPrefix(name, service)
			return ok && ofService.MatchString(end)
		}
		if slices.Contains(variables, name) || slices.Contains(ofOthers, name) || slices.ContainsFunc(services, of) {
			continue
		}
		problems = append(problems, fmt.Errorf("%s: there is no such setting%s", name, didYouMean(name, variables)))
	}
	return problems
}
