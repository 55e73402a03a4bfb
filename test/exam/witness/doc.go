// Package witness holds what Rollcall said and did against what happened. It is fed the facts of both, and answers with the
// promises that were not kept. It shares no code with Rollcall: it knows cron expressions from robfig/cron, and the promises from
// what is written below. It looks at no clock.
//
// # What is promised of verdicts
//
//   - Nothing is called lost (Missed, Expired, GaveUp) that ran, that was not due, or that was rightly not run: suspended, its when
//     expression false, Forbid with a run under way that status.active shows, Replace with a newer run. In the end this holds
//     however sure Rollcall says it is; only a run that left nothing may look like none, and then the loss is at most likely: one that a
//     person deleted, or that came and went when Rollcall could not see, and that Argo could not write to its status or made, its
//     clock far ahead, long before its time.
//     In the course of time it holds for what is called certain. What Argo runs late was missed until then, and a record may be a
//     minute old: it is false when it still says so 75 s after the run was made, or after Rollcall could see again.
//   - Nothing is called OnTime, Late or Backfilled that has no run. A run bears the firing's own name and is owned by the
//     CronWorkflow, or it bears the zero time's name and was made within the firing's grace. A submit by hand and a resubmit are none.
//   - Nothing is called Skipped that ran, or that nothing kept from running.
//   - Everything that was due 15 s and its grace before the end has a verdict, but for what was due of a CronWorkflow that is gone.
//   - Unknown is at most 1 % of the firings for which evidence existed. With a run: that was there for 15 s, or as long as it was there
//     at all, in which Rollcall could see; and either no process of Rollcall's died within the 75 s in which it is put on record, or the
//     run was still there 15 s after the next one had come. Without one: Rollcall watched from before the firing until it was too late
//     for it, and for those 75 s more, and the spec had not been edited shortly before or after. Where somebody else's Workflow has its name there is none.
//
// # What is promised of recovery
//
// A firing is recovered that Argo did not run within its grace, if for two minutes on end all of this holds:
//
//   - It is due by a spec that has not been edited since, that is not suspended, not stopped, and whose when expression is true for the
//     time of the firing and now.
//   - Forbid was not right to skip it, and no Workflow of somebody else has its name.
//   - A controller of Argo's looks after the CronWorkflow, and where runs are deleted at once, it has not gone past it: a create that hung for
//     minutes may have been carried out in between.
//   - It has a starting deadline, its own or the annotation's, of at least 20 s, and that is still ahead.
//   - Nothing switches its recovery off: rollcall.dev/backfill, rollcall.dev/catch-up, rollcall.dev/audit.
//   - That it did not run is certain. Either Rollcall watched from before the firing on without a gap; or it has said so itself; or
//     the firing is newer than status.lastScheduledTime, and newer than the time up to which runs may have been deleted: the end of
//     the oldest run that a history limit keeps where as many are kept as it allows, or now less the ttl. Where it
//     may have been deleted, absence is not certain any more once a process has died between the mark that it was about to create
//     the run (rollcall.dev/intended) and the create. Nor is it where a run ended and was deleted in the outage: Argo has then counted
//     more runs than Rollcall can name.
//     Where a field can be taken out of a spec without a trace (Argo's full CRDs), only what was watched is certain.
//   - The status has no SubmissionError: Argo then tries over and over itself.
//   - Rollcall is there, one replica leads, and the API server answers.
//
// And if after the first of these minutes there was an opening, of 45 s in all:
//
//   - No live firing within 5 s, and the last one has started, or its grace is over.
//   - Fewer than 10 recovered runs of the CronWorkflow under way, and fewer than 100 newer firings outstanding.
//   - With a stopStrategy: no run under way, and no older firing outstanding.
//   - Replace, and catch-up latest: no newer firing was due.
//   - Forbid and Replace: no older firing outstanding, no run under way for 15 s, and before the next live firing there is as much time
//     as the longest of the last 10 runs took that are still there, and a quarter more, and 15 s; or half an interval where none is. A
//     run took from its creation, or from its start if Rollcall is to be accused of having made one all the same.
//   - Forbid with a starting deadline of its own that is shorter than the time that a run is taken to need, or none: Argo there. A run
//     that cannot begin before it is back could make it skip a live firing, for good.
//
// What is recovered must be allowed to be, by the same rules, within 12 s for a request that was on its way. No more is promised: a
// firing without a deadline is not recovered, nor one whose run may have come and gone. Of what somebody recovers with the command line
// neither the deadline is asked for nor the annotations; all other rules hold.
//
// # What is promised of everything else
//
//   - No firing has two runs of which Rollcall made one. Those of which Argo made both are named (DoubledByArgo), and are not held against
//     Rollcall. Nor are those where Argo made the second against all that Rollcall can do: under the name of the zero time, though the
//     status said that the firing had run, after it had set that back itself, or for a CronWorkflow that was gone.
//   - Under Forbid, Rollcall makes no run beside another one, and Argo none beside Rollcall's for want of knowing of it.
//   - No live firing is skipped by Forbid for a recovered run that was under way, or had been within 10 s, where Argo was there to
//     run it; nor run late for that, where Argo had been there all the time. That is, unless the run took longer than it was to be
//     taken to need when it was made, as above. No run is stopped under Replace when no newer firing was due.
//   - After the end of all faults no schedule stays dead. That one is shows when the grace of a firing is over that Argo did not run; what
//     is due more than a minute after that, Argo runs, unless the spec exempts it, or Rollcall is to keep its hands off.
//
// # Where the witness is careful
//
// It accuses only of what is plain. Times of creation are known to the second, changes when the recorder saw them: 2 s are allowed.
// A firing around an edit may be judged by either spec. What depends on when a request was sent is not judged where a fault may have
// held the request up.
package witness
