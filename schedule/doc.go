// Package schedule turns the cron expressions of one CronWorkflow into the
// moments at which it is due, its firings, and says what daylight saving does
// to them.
//
// It knows robfig/cron v3, the library Argo schedules with, the zones of the
// IANA database, and nothing else: no Argo objects, no clock (time is always an
// argument), no logger. Who ran, who missed and why is the auditor's business.
//
// # Same as robfig
//
// An expression means what cron.ParseStandard makes of it, and firings are what
// iterating SpecSchedule.Next gives, its peculiarities around zone transitions
// included: an audit that disagrees with the scheduler it audits raises false
// alarms. Near a transition robfig itself is asked; fast.go is a shortcut for
// the long stretches between transitions in which there is nothing peculiar.
// The property tests hold it to robfig. The one answer of robfig that is not
// taken is one that lies in the past; see cursor.search.
//
// Around a transition robfig's answer may depend on the time it is asked from
// (Shifts lists what comes of it). [Schedule.Firings] and [Schedule.Next] start
// at the very time they are given, as robfig does; [Schedule.Contains] and
// [Schedule.Last] start ahead of any transition that is near.
//
// # Bounds
//
// Every call ends: robfig gives up after five years without a firing, firings
// lie between 2015-01-01T00:00:00Z and the end of the year 9999, and what
// returns a list takes a limit.
//
// CronWorkflows exist since 2019: nothing is due earlier than 2015, and nothing
// is lost by it. It keeps robfig away from the days that zones left out, of
// which the last was 2011-12-30 in Pacific/Apia: its search does not get across
// one.
package schedule
