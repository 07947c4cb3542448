using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Problems;
using Gateway.Runtime;
using Gateway.Upstream;

namespace Gateway.Watching;

/// <summary>
/// One event stream: the changes of one job, or of up to a hundred. A stream holds no events. It keeps the id of the
/// last event of each job, and writes the newest state whenever its caller can take it.
/// </summary>
internal sealed class EventStream : IDisposable
{
    /// <summary>The length of a job's part of an id in a stream of several jobs.</summary>
    private const int PartOfId = 8;

    private static readonly string NoPart = new('-', PartOfId);

    private readonly HttpContext _http;
    private readonly PipeWriter _writer;
    private readonly EventView _view;
    private readonly Signal _signal;
    private readonly Entry[] _jobs;
    private readonly WatchingMetrics _metrics;
    private readonly SteadyClock _clock;
    private readonly DateTimeOffset _startedAt;
    private readonly List<DateTimeOffset> _unflushed = [];
    // Set by other threads, and read by the stream.
    private volatile Problem? _refusal;
    private volatile bool _hasLeft, _mustEnd, _isHeartbeatDue;
    // Ticks of the steady clock.
    private long _writtenAt;
    private Task? _pending;
    private bool _hasWritten;

    /// <param name="watches">The watches of the jobs, which the stream ends.</param>
    /// <param name="signal">The signal of the watches.</param>
    public EventStream(
        HttpContext http, LastingIdentity identity, WatchedJobs.Watch[] watches, EventView view, Signal signal,
        WatchingMetrics metrics, SteadyClock clock)
    {
        (_http, _writer, _view, _signal) = (http, http.Response.BodyWriter, view, signal);
        (Identity, _metrics, _clock) = (identity, metrics, clock);
        _jobs = Array.ConvertAll(watches, watch => new Entry(watch));
        _startedAt = clock.Now;
        _writtenAt = _startedAt.Ticks;
    }

    /// <summary>The caller, whose permission is checked again and again.</summary>
    public LastingIdentity Identity { get; }

    /// <summary>The caller at the last check. Another one means that the configuration has changed.</summary>
    public Caller? CheckedCaller { get; set; }

    /// <summary>Whether a check of the permission is under way.</summary>
    public bool IsChecking { get; set; }

    /// <summary>Whether the stream was closed because its caller did not read.</summary>
    public bool WasTooSlow { get; private set; }

    public IEnumerable<JobKey> Keys => _jobs.Select(job => job.Watch.Key);

    /// <summary>Whether the first state of each job is known.</summary>
    public bool IsReady => Array.TrueForAll(_jobs, job => job.Watch.State is not null);

    /// <summary>
    /// Waits until the first state of each job is known, but not longer than a time. Call it before the stream runs.
    /// </summary>
    public async Task WaitUntilReadyAsync(TimeSpan time, TimeProvider clock)
    {
        var started = clock.GetTimestamp();
        while (!IsReady && !_hasLeft)
        {
            var left = time - clock.GetElapsedTime(started);
            if (left <= TimeSpan.Zero) return;
            // Only one caller may wait for a signal, so the stream continues this wait.
            _pending ??= _signal.WaitAsync().AsTask();
            await _pending.WaitAsync(left, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_pending.IsCompleted) _pending = null;
        }
    }

    /// <summary>Whether the caller knows the final state of each job, so that it need not connect again.</summary>
    /// <param name="lastId">The value of <c>Last-Event-ID</c>.</param>
    public bool IsKnown(string lastId) =>
        Array.TrueForAll(_jobs, job => job.Watch.State is { IsFinal: true } state
            && (_view.IsOfMany || state.Snapshot is { IsAbsent: false })) && lastId == IdOfStates();

    /// <summary>Why a stream of one job would end at once; null if it would not.</summary>
    public Problem? Refusal() =>
        !_view.IsOfMany && _jobs[0] is { Watch.State: { } state } job && ProblemOf(job, state) is { } problem
            && !IsRetryable(problem) ? problem : null;

    /// <summary>Leaves out the events that the caller has.</summary>
    /// <param name="lastId">The value of <c>Last-Event-ID</c>.</param>
    public void ResumeFrom(string lastId)
    {
        if (!_view.IsOfMany)
        {
            _jobs[0].Id = lastId;
            return;
        }
        if (lastId.Length != PartOfId * _jobs.Length) return;
        for (var i = 0; i < _jobs.Length; i++)
        {
            var part = lastId.Substring(PartOfId * i, PartOfId);
            if (part != NoPart) _jobs[i].Id = part;
        }
    }

    /// <summary>Writes events until the last job is final, the caller leaves, or the stream is ended.</summary>
    /// <param name="longestFlush">The time after which the stream of a caller that does not read is closed.</param>
    public async Task RunAsync(TimeSpan longestFlush, TimeProvider clock)
    {
        using var leaving = _http.RequestAborted.UnsafeRegister(stream => ((EventStream)stream!).Leave(), this);
        EventFormat.WriteRetry(_writer, EventStreams.NextRetry());
        _hasWritten = true;
        while (!_hasLeft)
        {
            var isOver = true;
            foreach (var job in _jobs) isOver &= WriteNews(job);
            var isRefused = _refusal is not null;
            var isEnded = isOver || isRefused || _mustEnd;
            if (isRefused) WriteProblem(_refusal!, isRetryable: false, job: null);
            // A stream of one job that ends with a problem has said so.
            else if (isOver) WriteEnd();
            else if (_mustEnd) EventFormat.WriteRetry(_writer, EventStreams.NextRetryAtEnd());
            else if (_isHeartbeatDue) WriteHeartbeat();
            if (_hasWritten || isEnded) await FlushAsync(longestFlush, clock);
            if (isEnded) return;
            if (_pending is null) await _signal.WaitAsync();
            else await _pending;
            _pending = null;
        }
    }

    /// <summary>Ends the stream with a problem, because the caller may no longer watch.</summary>
    public void Refuse(Problem problem)
    {
        _refusal ??= problem;
        _signal.Set();
    }

    /// <summary>Ends the stream so that the caller connects again.</summary>
    public void End()
    {
        _mustEnd = true;
        _signal.Set();
    }

    /// <summary>Sends a comment if the stream has been silent for a time.</summary>
    /// <returns>When the next comment is due.</returns>
    public DateTimeOffset KeepAlive(TimeSpan silence, DateTimeOffset now)
    {
        var due = new DateTimeOffset(Interlocked.Read(ref _writtenAt), TimeSpan.Zero) + silence;
        if (due > now) return due;
        _isHeartbeatDue = true;
        _signal.Set();
        return now + silence;
    }

    public void Dispose()
    {
        foreach (var job in _jobs) job.Watch.Dispose();
    }

    private void Leave()
    {
        _hasLeft = true;
        _signal.Set();
    }

    /// <returns>Whether the job needs no further look.</returns>
    private bool WriteNews(Entry job)
    {
        if (job.IsOver) return true;
        var state = job.Watch.State;
        if (state is null || ReferenceEquals(state, job.Seen)) return false;
        job.Seen = state;
        var (hasEvent, made) = EventOf(job, state);
        if (hasEvent && made is not null && !IsSame(made.Id, job.Id))
        {
            job.Id = made.Id;
            _writer.Write(made.Bytes);
            if (_view.IsOfMany) EventFormat.WriteEnd(_writer, Id());
            _hasWritten = true;
            _metrics.Sent(JobEvent.Type);
            if (state.Snapshot!.FetchedAt > _startedAt) _unflushed.Add(state.Snapshot.FetchedAt);
        }
        var problem = ProblemOf(job, state);
        var isLasting = problem is not null && !IsRetryable(problem);
        if (problem is not null && (isLasting || !job.HasFailed)) WriteProblem(problem, !isLasting, job.Watch.Key);
        else if (problem is null && job.HasFailed) Write("recovered", NameOf(job));
        job.HasFailed = problem is not null;
        job.WasRefused = isLasting;
        return job.IsOver = isLasting || state.IsFinal;
    }

    private Problem? ProblemOf(Entry job, WatchedState state)
    {
        if (state.Failure is { } failure) return UpstreamProblems.Of(failure.Verdict, failure.Answer);
        if (state.Snapshot is { IsAbsent: true } absent) return JobProblems.Absent(absent);
        return EventOf(job, state) is (true, null)
            ? new Problem(WatchingProblems.TooLarge, $"The job has more than {JobEvent.MaxBody} bytes.") : null;
    }

    private (bool HasEvent, JobEvent? Event) EventOf(Entry job, WatchedState state) =>
        state.Snapshot is { IsAbsent: false } ? (true, state.EventOf(job.Watch.Key.Address, _view)) : default;

    private static bool IsRetryable(Problem problem) => problem.Status is >= 500 or 429;

    private void WriteProblem(Problem problem, bool isRetryable, JobKey? job)
    {
        var body = problem.Body();
        body.Extensions["retryable"] = isRetryable;
        if (job is not null && _view.IsOfMany)
        {
            body.Extensions["workflow_id"] = job.Address.Workflow;
            body.Extensions["job_id"] = job.Address.Job;
        }
        Write("problem", JsonSerializer.SerializeToUtf8Bytes(body, JsonSerializerOptions.Web));
    }

    private void WriteEnd()
    {
        if (!_view.IsOfMany && _jobs[0].WasRefused) return;
        EventFormat.Write(_writer, "end", Id(), "{}"u8);
        _hasWritten = true;
        _metrics.Sent("end");
    }

    private void WriteHeartbeat()
    {
        _writer.Write(EventFormat.Heartbeat);
        _hasWritten = true;
    }

    private void Write(string type, ReadOnlySpan<byte> data)
    {
        EventFormat.Write(_writer, type, id: null, data);
        _hasWritten = true;
        _metrics.Sent(type);
    }

    private byte[] NameOf(Entry job)
    {
        if (!_view.IsOfMany) return "{}"u8.ToArray();
        var (workflow, id) = (job.Watch.Key.Address.Workflow, job.Watch.Key.Address.Job);
        // Identifiers need no escapes in JSON.
        return Encoding.UTF8.GetBytes($$"""{"workflow_id":"{{workflow}}","job_id":"{{id}}"}""");
    }

    private async ValueTask FlushAsync(TimeSpan longest, TimeProvider clock)
    {
        (_hasWritten, _isHeartbeatDue) = (false, false);
        var flushing = _writer.FlushAsync();
        var flushed = flushing.IsCompleted ? await flushing : await WithinAsync(longest, clock, flushing.AsTask());
        var now = _clock.Now;
        Interlocked.Exchange(ref _writtenAt, now.Ticks);
        foreach (var fetchedAt in _unflushed) _metrics.Delayed(now - fetchedAt);
        _unflushed.Clear();
        _hasLeft |= flushed.IsCompleted;
    }

    /// <summary>Waits for a flush, and closes the connection if the caller does not read for a time.</summary>
    private async Task<FlushResult> WithinAsync(TimeSpan longest, TimeProvider clock, Task<FlushResult> flushing)
    {
        await ((Task)flushing).WaitAsync(longest, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!flushing.IsCompleted)
        {
            WasTooSlow = true;
            _http.Abort();
        }
        return await flushing;
    }

    // The id of the last event: that of the job, or one part for each job.
    private string Id() => _view.IsOfMany ? string.Concat(_jobs.Select(job => PartOf(job.Id))) : _jobs[0].Id ?? "";

    private string IdOfStates()
    {
        var ids = _jobs.Select(job => EventOf(job, job.Watch.State!).Event?.Id);
        return _view.IsOfMany ? string.Concat(ids.Select(PartOf)) : ids.First() ?? "";
    }

    private bool IsSame(string id, string? known) =>
        _view.IsOfMany ? known is not null && PartOf(id) == PartOf(known) : id == known;

    private static string PartOf(string? id) => id is null ? NoPart : id[..PartOfId];

    /// <summary>A job of the stream.</summary>
    private sealed class Entry(WatchedJobs.Watch watch)
    {
        public WatchedJobs.Watch Watch => watch;

        /// <summary>The last state that was written.</summary>
        public WatchedState? Seen { get; set; }

        /// <summary>The id of the last event. After a reconnect to several jobs: its first part.</summary>
        public string? Id { get; set; }

        /// <summary>Whether the last look failed, and the caller knows it.</summary>
        public bool HasFailed { get; set; }

        /// <summary>Whether a problem ended the job's part of the stream.</summary>
        public bool WasRefused { get; set; }

        /// <summary>Whether the job needs no further look.</summary>
        public bool IsOver { get; set; }
    }
}
