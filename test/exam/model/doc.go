// Package model is Argo's CronWorkflow controller for simulated time: its rules, its order and its bugs, over the fake API server.
//
// Everything is as read in argo-workflows v3.7.18, with the file named at each rule; workflow/cron of v3.6.15 and v4.0.7 differ from
// it in nothing but logging, contexts and what is passed to the validation of the workflowSpec. TestTheModelDoesAsTheRealController
// runs the same scenarios on both.
//
// It leaves out what does not decide whether, when and under which name something runs: templates and their validation, metrics,
// pods. A Workflow runs for as long as it says, and makes progress only while the controller lives.
package model
