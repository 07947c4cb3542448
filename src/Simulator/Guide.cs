namespace Simulator;

/// <summary>The help page.</summary>
internal static class Guide
{
    public const string Text = """
        A simulated upstream API. It serves one operation:

            GET /v0/workflows/{workflow_id}/jobs/{job_id}
            Authorization: an accepted credential, verbatim

        JOBS. No job has to be created. The id of a job, kind[-N][-anything][.modifier]*, and the time of the first
        request for it decide its state. Any workflow id is accepted.

            finished, finished-42     completed a minute before the first request
            run-30, run-30-abc        queued, running, completed after 30 s
            fail, fail-10             failed at once, or after 10 s
            cancel, cancel-10         cancelled at once, or after 10 s
            stuck, stuck-30           never ends: progress 99 after 30 s, 100 after 60 s
            late-3                    404 for 3 s, then completed
            missing                   404, as for every other word
            forbidden                 403
            bad                       400

            .large  .size-N                             a body of about 4 MB, or N KB; default: about 6 KB
            .raw-ints .raw-object .raw-objects          the form of spec, info_logs, inputs and result;
            .raw-base64 .raw-null                         default: a mixture
            .time-z .time-offset .time-fraction         the form of timestamps; default: z
            .time-space
            .progress-percent .progress-decimal         "45%" or "45.0"; default: "45"
            .status-WORD                                WORD, verbatim, as the final status
            .signed-N                                   results hold signed URLs that work for N seconds
            .escaped                                    & and similar characters are escaped, as \u0026
            .coded-WORD                                 the body in that content coding: gzip, deflate, br;
                                                          for another WORD, only the header names it
            .accepted                                   202 until the job has ended
            .retry-N                                    Retry-After: N until the job has ended
            .nameless                                   neither id nor workflow_id
            .unfinished                                 a final status with an empty finished_at
            .wide                                       a dozen tasks; default: five
            .again-N                                    starts again N seconds after its end
            .drift-field                                tasks have a field that is not documented, node_pool
            .drift-type                                 cost is text
            .drift-missing                              there is no progress
            .drift-status                               completed tasks have the status "archived"

            Example: run-10.time-space.progress-percent.status-FULFILLED

        LIVES. PUT /_simulator/lives with a JSON object moves a job to a stage. After DELETE, the ids decide the states
        of all jobs again.

            job         a job id
            stage       Queued, Running, Completed, CompletedEarly (no results yet), Failed, Cancelled, Gone (404)

            curl -X PUT -d '{"job":"run-30","stage":"failed"}' HOST/_simulator/lives

        FAULTS. POST /_simulator/faults with a JSON object adds a fault. The oldest fault that matches a call applies.

            job         a job id, prefix*, or * (the default)
            kind        Status          the status (503) with an error envelope, or with body; retryAfter verbatim
                        Delay           the normal answer, after delay
                        Reset           the connection is aborted before any byte
                        Cut             the full length is announced, half is sent, and the connection is closed
                        Truncate        a well-framed 200 whose JSON stops in the middle
                        Html            a load balancer's page, 200 or the status given
                        WrongId         the normal body with another id
                        WrongWorkflow   the normal body with another workflow_id
                        EchoCredential  the credential in a task's err_msg, or in an error envelope of the status given
                        Huge            64 MB of tasks
                        Hang            no answer
            delay       "00:00:02", before the answer, for every kind
            times       the number of calls; default: until DELETE

            curl -X POST -d '{"job":"run-*","kind":"status","status":429,"times":2}' HOST/_simulator/faults
            curl -X DELETE HOST/_simulator/faults

        CALLS. GET /_simulator/calls counts the calls, and lists requests that a gateway must not send. DELETE clears
        both.

        CREDENTIALS. PUT /_simulator/credentials with a JSON array replaces the accepted credentials.

            curl -X PUT -d '["first key","second key"]' HOST/_simulator/credentials

        """;
}
