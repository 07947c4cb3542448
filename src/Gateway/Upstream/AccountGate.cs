using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// The calls of one account on this node. A call waits in a queue for a short time until the account's state permits
/// it. One exchange at a time reports to the state and asks for permits, for all calls that wait at that moment.
/// </summary>
internal sealed partial class AccountGate(
    string account, Accounts accounts, AccountStore store, TrialClient trials,
    IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use, UpstreamMetrics metrics,
    TimeProvider clock, ILogger<AccountGate> logger) : ExchangeLoop(clock)
{
    private const int LongestQueue = 10_000;

    // Reports that stop no other calls are collected for this time.
    private static readonly TimeSpan ReportDelay = TimeSpan.FromMilliseconds(50);

    // The interval at which a node asks for the outcome of a trial, which another node may make.
    private static readonly TimeSpan TrialPoll = TimeSpan.FromMilliseconds(25);

    // The interval at which a node checks a refused credential.
    private static readonly TimeSpan RefusedPoll = TimeSpan.FromSeconds(5);

    // The interval at which a node checks an account that is closed, if only polls of watched jobs wait.
    private static readonly TimeSpan ClosedPoll = TimeSpan.FromMilliseconds(500);

    // A call that goes out within this time of its permit is in time.
    private static readonly TimeSpan InTime = TimeSpan.FromMilliseconds(5);

    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly Lock _lock = new();
    private readonly CallQueue _queue = new();
    private readonly PendingReport _report = new(clock);
    private readonly List<CauseWaiter> _causeWaiters = [];
    private readonly Dictionary<string, int> _underWay = new(StringComparer.Ordinal);
    private IPollSource? _polls;
    private bool _isClosed;

    /// <summary>The standing of the account's credential, as far as this node knows.</summary>
    public CredentialStanding Standing { get; private set; }

    /// <summary>Whether the next credential has taken over.</summary>
    public bool IsOnNext { get; private set; }

    /// <summary>The number of nodes that use the account, as far as it is known.</summary>
    public int Nodes => store.Nodes;

    public string Name => account;

    /// <summary>The budget of all nodes, and how many calls it holds now, as far as this node knows.</summary>
    public (double Rate, int Burst, long Left) Budget => Options is { } options
        ? (options.RequestsPerSecond, options.Burst, store.Left(LimitsOf(options).Budget)) : default;

    /// <summary>Calls that wait on this node.</summary>
    public int Waiting
    {
        get { lock (_lock) return _queue.Count; }
    }

    private AccountOptions? Options => upstream.CurrentValue.Accounts.GetValueOrDefault(account);

    /// <summary>A credential to try instead of those that were refused; null: there is none.</summary>
    public async ValueTask<Credential?> OtherThanAsync(IEnumerable<Credential> refused)
    {
        var credentials = await accounts.CredentialsOfAsync(account);
        return credentials.FirstOrDefault(other => refused.All(one => one.Fingerprint != other.Fingerprint)
            && !(store.Dead.Contains(other.Fingerprint) && _report.KnownCredentials.Contains(other.Fingerprint)));
    }

    /// <summary>Waits until one call may go out.</summary>
    /// <param name="team">The team whose turn it takes.</param>
    public async ValueTask<QueueResult> AcquireAsync(CallRank rank, string team, JobAddress job, TimeSpan maxWait)
    {
        var waiter = new CallQueue.Waiter(rank, team, job);
        var started = Clock.GetTimestamp();
        lock (_lock) Enqueue(waiter);
        Wake();
        if (!waiter.Result.Task.IsCompleted)
        {
            await ((Task)waiter.Result.Task).WaitAsync(maxWait, Clock)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // A refresh ends as over budget, so that a snapshot answers: the job may be refused and not the credential.
            var isRefused = Standing != CredentialStanding.Fine && rank != CallRank.Refresh;
            lock (_lock) TurnAway(waiter, isRefused ? UpstreamFault.CredentialDead : UpstreamFault.OverBudget);
        }
        var result = await waiter.Result.Task;
        metrics.Queued(account, Clock.GetElapsedTime(started), result.Fault);
        return result;
    }

    /// <summary>Gives permits to polls of watched jobs, as far as callers leave any.</summary>
    public void Serve(IPollSource polls)
    {
        lock (_lock) _polls = polls;
        Wake();
    }

    /// <summary>Lets the waiting call for a job go out also at another team's turn.</summary>
    public void Join(JobAddress job, string team)
    {
        bool isNew;
        lock (_lock) isNew = _queue.Find(job) is { } waiter && _queue.Join(waiter, team);
        if (isNew) Wake();
    }

    /// <summary>Records that a call goes out.</summary>
    /// <param name="permitted">When it was permitted, as a timestamp of the clock.</param>
    public void GoOut(long permitted)
    {
        var late = Clock.GetElapsedTime(permitted);
        if (late < InTime) return;
        lock (_lock) _report.AddLate(late);
    }

    /// <summary>Reports to the other nodes the calls that this node made while Redis was away.</summary>
    public void ReportTimeAlone()
    {
        if (store.IsAlone) Wake();
    }

    /// <summary>Reports the outcome of a call, and that it is over.</summary>
    /// <param name="team">The team whose turn it took.</param>
    /// <param name="ended">Null: the outcome was reported before.</param>
    /// <param name="isOver">False: the call goes on and keeps its place.</param>
    /// <param name="sent">When it was sent, as a timestamp of the clock.</param>
    public async ValueTask ReportAsync(string team, EndedCall? ended, bool isOver, long sent)
    {
        // A success can wait for the next exchange, unless calls wait for its place.
        var isUrgent = ended is not { Outcome: CallOutcome.Accepted, IsProbe: false, Supersedes: null };
        var stopsOthers = ended is { Outcome: CallOutcome.Busy } or { Supersedes: not null };
        var heard = Task.CompletedTask;
        bool isFirst;
        lock (_lock)
        {
            if (isOver) RemoveCall(team);
            if (ended is { } call) heard = _report.Add(call, sent, stopsOthers);
            isUrgent |= _queue.Count > 0;
            isFirst = _report.Count == 1;
        }
        if (isUrgent || isFirst) Wake(isUrgent);
        await heard;
    }

    private void Enqueue(CallQueue.Waiter waiter)
    {
        _queue.Add(waiter);
        if (waiter.Rank == CallRank.OtherCredential || Options is not { } options) return;
        // Twice as many calls as can be served in time may wait.
        var served = options.Burst + options.RequestsPerSecond * options.QueueTimeout.TotalSeconds;
        if (_queue.Count > Math.Min(LongestQueue, Math.Ceiling(2 * served)))
        {
            TurnAway(_queue.Surplus(), UpstreamFault.OverBudget);
        }
    }

    private void TurnAway(CallQueue.Waiter waiter, UpstreamFault fault)
    {
        var spacing = TimeSpan.FromSeconds(1 / (Options?.RequestsPerSecond ?? 1)) * store.Nodes * _queue.Teams;
        _queue.TurnAway(waiter, fault, spacing, Clock.GetElapsedTime(0).TotalMicroseconds);
    }

    protected override async ValueTask<TimeSpan?> ExchangeAsync()
    {
        try
        {
            return await ReportAndGrantAsync();
        }
        catch (Exception e)
        {
            Log.Failed(logger, account, e);
            // Callers must not wait for ever for a report that fails.
            lock (_lock) _report.Release(_report.Count);
            return ReportDelay;
        }
    }

    protected override TimeSpan? PauseBeforeExchange(TimeSpan wait)
    {
        lock (_lock)
        {
            if (_causeWaiters.Count > 0) return wait < TrialPoll ? wait : TrialPoll;
            if (_queue.Count > 0) return wait;
            if (_polls is { IsWaiting: true })
            {
                if (_isClosed && wait < ClosedPoll) wait = ClosedPoll;
                return _report.Count > 0 && ReportDelay < wait ? ReportDelay : wait;
            }
            if (_report.Count > 0) return ReportDelay;
            if (Standing != CredentialStanding.Fine) return RefusedPoll;
            // Other nodes take a node that does not report for a longer time for dead, and its calls for ended.
            return _underWay.Count > 0 ? upstream.CurrentValue.Timeout / 2 : null;
        }
    }

    private async ValueTask<TimeSpan?> ReportAndGrantAsync()
    {
        var credentials = await accounts.CredentialsOfAsync(account);
        NodeReport report;
        CauseWaiter[] causeWaiters;
        lock (_lock)
        {
            causeWaiters = [.. _causeWaiters];
            var fingerprints = Array.ConvertAll(credentials, one => one.Fingerprint);
            WaitingCalls[] waiting = [.. _queue.Report(), .. _polls?.Report() ?? []];
            report = _report.Take(_node, _underWay, waiting, fingerprints);
        }
        if (credentials.Length == 0 || Options is not { } options)
        {
            lock (_lock)
            {
                _report.Forget();
                _queue.TurnAllAway(UpstreamFault.NoCredential, AccountHealth.ShortestPause);
                _polls?.Close(UpstreamFault.NoCredential, AccountHealth.ShortestPause);
                _isClosed = true;
                foreach (var waiter in causeWaiters) Decide(waiter, RefusalCause.Unknown);
                Standing = CredentialStanding.Fine;
            }
            return TimeSpan.Zero;
        }
        var reply = await store.ExchangeAsync(report, LimitsOf(options));
        if (reply == NodeReply.NotHeard)
        {
            lock (_lock) _report.NotHeard(report);
            return null;
        }
        // A dead credential may have been replaced during the exchange.
        var isReplaced = reply.Closed is { Reason: UpstreamFault.CredentialDead }
            && !(await accounts.CredentialsOfAsync(account)).Select(one => one.Fingerprint)
                .SequenceEqual(report.Credentials, StringComparer.Ordinal);
        if (!isReplaced) NoteStanding(reply);
        lock (_lock)
        {
            _report.Heard(report);
            foreach (var waiter in causeWaiters)
            {
                var index = Array.IndexOf(report.Credentials, waiter.Credential);
                var cause = index < 0 ? RefusalCause.Unknown : reply.Causes[index];
                if (cause != RefusalCause.Pending) Decide(waiter, cause);
            }
            var areUsed = Grant(reply, credentials[reply.Credential]);
            _isClosed = reply.Closed is not null;
            if (!isReplaced && reply.Closed is { } closed) Close(closed, options);
            return areUsed && !isReplaced ? reply.Wait : null;
        }
    }

    private AccountLimits LimitsOf(AccountOptions options) =>
        AccountLimits.Of(options, upstream.CurrentValue.Timeout, use.CurrentValue.TeamsOf(account));

    private void NoteStanding(NodeReply reply)
    {
        var isOnNext = reply.Credential > 0;
        var isRefused = reply.Standing == CredentialStanding.Refused;
        var wasRefused = Standing == CredentialStanding.Refused;
        if (isRefused && !wasRefused) Log.Refused(logger, account);
        if (!isRefused && wasRefused) Log.AcceptedAgain(logger, account);
        if (isOnNext && !IsOnNext) Log.OnNext(logger, account);
        (Standing, IsOnNext) = (reply.Standing, isOnNext);
    }

    /// <returns>Whether all permits are used. If not, the other nodes must know it at once.</returns>
    private bool Grant(NodeReply reply, Credential credential)
    {
        var areUsed = true;
        if (reply.TrialJob is { } job)
        {
            var permit = Permit(AccountState.NodeCalls.NoTeam, job, isProbe: true, isTrial: true);
            _ = trials.MakeAsync(account, job, permit);
        }
        foreach (var (rank, team) in reply.Granted)
        {
            var isProbe = reply.IsProbe && rank != CallRank.OtherCredential;
            if (rank == CallRank.Watch && _polls is not null)
            {
                var poll = Permit(AccountState.NodeCalls.NoTeam, job: null, isProbe);
                if (_polls.Start(team, poll)) continue;
                RemoveCall(AccountState.NodeCalls.NoTeam);
            }
            // The caller may have left. The permit is then for any other call.
            if ((_queue.Take(rank, team) ?? _queue.TakeAny()) is { } waiter)
            {
                var permit = Permit(team, CallPermit.NameOf(waiter.Job), isProbe);
                waiter.Result.TrySetResult(new QueueResult(permit));
                continue;
            }
            areUsed = false;
            if (!isProbe) continue;
            var unused = new EndedCall(CallOutcome.Unknown, credential.Fingerprint, IsProbe: true);
            _ = _report.Add(unused, Clock.GetTimestamp());
        }
        return areUsed;

        CallPermit Permit(string team, string? job, bool isProbe, bool isTrial = false)
        {
            _underWay[team] = _underWay.GetValueOrDefault(team) + 1;
            return new CallPermit(this, credential, team, job, isProbe, Clock.GetTimestamp(), isTrial);
        }
    }

    private void Close(Closed closed, AccountOptions options)
    {
        var left = TimeSpan.FromMicroseconds(Math.Max(0, closed.Until - store.Now));
        // Calls may wait for the end of a short pause.
        var isShortPause = closed.Reason == UpstreamFault.Paused && left <= options.QueueTimeout / 2;
        if (isShortPause) return;
        _queue.TurnAllAway(closed.Reason, left);
        _polls?.Close(closed.Reason, left);
    }

    private void RemoveCall(string team)
    {
        if (--_underWay[team] == 0) _underWay.Remove(team);
    }
}
