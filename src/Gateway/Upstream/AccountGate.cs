using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>
/// The calls of one account on this node: they wait here until all nodes together may make one more, for a short while
/// and not too many of them. It asks for all that wait at once, of its <see cref="AccountBook"/>.
/// </summary>
internal sealed partial class AccountGate(
    string account, Accounts accounts, AccountBook book, bool isShared, CredentialTrial trials,
    IOptionsMonitor<UpstreamOptions> upstream, IOptionsMonitor<AccountUse> use, UpstreamMetrics metrics, TimeProvider clock, ILogger<AccountGate> logger)
{
    private const int LongestLine = 10_000;

    // What timers can do, and how long good news can wait.
    private static readonly TimeSpan LeastWait = TimeSpan.FromMilliseconds(1), NoHurry = TimeSpan.FromMilliseconds(50);

    // While a trial is under way, perhaps on another node.
    private static readonly TimeSpan BetweenLooksAtTrial = TimeSpan.FromMilliseconds(25);

    // Who sends within this of its permit is in time.
    private static readonly TimeSpan InTime = TimeSpan.FromMilliseconds(5);

    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly Lock _lock = new();
    private readonly WaitingLine _line = new();
    private readonly RetryPromises _promises = new();
    private readonly CallNews _news = new(clock);
    private readonly List<Doubt> _doubts = [];
    private readonly Dictionary<string, int> _underWay = new(StringComparer.Ordinal);
    private bool _isPumping, _isDirty, _isPumpPlanned, _isStaying;
    private TaskCompletionSource? _wake;

    /// <summary>How the upstream takes the account's credentials.</summary>
    public CredentialWatch Credentials { get; } = new(account, logger);

    /// <summary>Nodes that use the account, as far as it is known.</summary>
    public int Nodes => book.Nodes;

    /// <summary>Calls that wait on this node.</summary>
    public int Waiting
    {
        get { lock (_lock) return _line.Count; }
    }

    private AccountOptions? Options => upstream.CurrentValue.Accounts.GetValueOrDefault(account);

    /// <summary>What to try instead of the credentials that were refused; null: there is nothing.</summary>
    public async ValueTask<Credential?> OtherThanAsync(IEnumerable<Credential> refused) => (await accounts.CredentialsOfAsync(account)).FirstOrDefault(other =>
        refused.All(one => one.Fingerprint != other.Fingerprint) && !(book.Dead.Contains(other.Fingerprint) && _news.KnownCredentials.Contains(other.Fingerprint)));

    /// <summary>Waits until one call may go out.</summary>
    /// <param name="team">Whose turn it takes.</param>
    /// <param name="maxWait">How long at most.</param>
    public async ValueTask<Entry> EnterAsync(CallRank rank, string team, JobAddress job, TimeSpan maxWait)
    {
        var waiter = new WaitingLine.Waiter(rank, team, job);
        var started = clock.GetTimestamp();
        lock (_lock) Admit(waiter);
        SchedulePump();
        if (!waiter.Entered.Task.IsCompleted)
        {
            await ((Task)waiter.Entered.Task).WaitAsync(maxWait, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Where it may be the job and not the credential, what is known of other jobs answers.
            var fault = Credentials.Standing != CredentialStanding.Fine && rank != CallRank.Refresh ? UpstreamFault.CredentialDead : UpstreamFault.OverBudget;
            lock (_lock)
            {
                if (_line.Remove(waiter)) TurnAway(waiter, fault);
            }
        }
        var entry = await waiter.Entered.Task;
        metrics.Queued(account, clock.GetElapsedTime(started), entry.Fault);
        return entry;
    }

    /// <summary>Waits until it is known whether a refusal is about the job or about the credential.</summary>
    /// <param name="credential">What was refused; the end of that call has been told.</param>
    /// <param name="maxWait">How long at most.</param>
    public async ValueTask<RefusalCause> FindCauseAsync(Credential credential, TimeSpan maxWait)
    {
        var doubt = new Doubt(credential.Fingerprint);
        lock (_lock) _doubts.Add(doubt);
        SchedulePump();
        await ((Task)doubt.Decided.Task).WaitAsync(maxWait, clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (_doubts.Remove(doubt)) doubt.Decided.TrySetResult(RefusalCause.Unknown);
        }
        return await doubt.Decided.Task;
    }

    /// <summary>Lets the call for a job that is waiting go out at another team's turn, too.</summary>
    public void Join(JobAddress job, string team)
    {
        lock (_lock)
        {
            if (_line.Count == 0 || _line.Find(job) is not { } waiter || !_line.Join(waiter, team)) return;
        }
        SchedulePump();
    }

    /// <summary>Takes note of when a call goes out.</summary>
    /// <param name="permitted">When it might, as a timestamp of the clock.</param>
    public void GoOut(long permitted)
    {
        var late = clock.GetElapsedTime(permitted);
        if (late < InTime) return;
        lock (_lock) _news.Add(late);
    }

    /// <summary>Tells the other nodes what has happened on this one while they could not be told.</summary>
    public void TellOfTimeAlone()
    {
        if (book.IsAlone) SchedulePump();
    }

    private void Admit(WaitingLine.Waiter waiter)
    {
        _line.Add(waiter);
        if (waiter.Rank == CallRank.OtherCredential || Options is not { } options) return;
        // Twice what comes to be served in time.
        var served = options.Burst + options.RequestsPerSecond * options.QueueTimeout.TotalSeconds;
        if (_line.Count <= Math.Min(LongestLine, Math.Ceiling(2 * served))) return;
        var surplus = _line.Surplus();
        _line.Remove(surplus);
        TurnAway(surplus, UpstreamFault.OverBudget);
    }

    private void TurnAway(WaitingLine.Waiter waiter, UpstreamFault fault)
    {
        var spacing = TimeSpan.FromSeconds(1 / (Options?.RequestsPerSecond ?? 1)) * book.Nodes * Math.Max(1, _line.Teams);
        var now = clock.GetElapsedTime(0).TotalMicroseconds;
        waiter.Entered.TrySetResult(new Entry(null, fault, _promises.Next(waiter.Team, spacing, now)));
    }

    private void TurnAllAway(UpstreamFault fault, TimeSpan retryAfter)
    {
        foreach (var waiter in _line.All.ToList())
        {
            _line.Remove(waiter);
            waiter.Entered.TrySetResult(new Entry(null, fault, retryAfter));
        }
    }

    /// <summary>Takes note of how a call ended, and of that it did.</summary>
    /// <param name="team">Whose turn it took.</param>
    /// <param name="news">Null: that was told before.</param>
    /// <param name="isOver">False: it goes on, and holds its place.</param>
    /// <param name="sent">When it was sent, as a timestamp of the clock.</param>
    public async ValueTask LeaveAsync(string team, EndedCall? news, bool isOver, long sent)
    {
        var mustBeKnown = news is { End: CallEnd.Busy } or { Supersedes: not null };
        Task? told;
        lock (_lock)
        {
            if (isOver && --_underWay[team] == 0) _underWay.Remove(team);
            if (news is { } some) _news.Add(some, sent);
            told = mustBeKnown ? _news.Told : null;
        }
        if (news is not { } end)
        {
            SchedulePump();
            return;
        }
        // What went well can wait for the next question; what stops other nodes cannot, and those who wait here.
        if (end.End != CallEnd.Accepted || end.IsTrial || end.Supersedes is not null) SchedulePump();
        else if (isShared) _ = SchedulePumpLaterAsync();
        else if (Waiting > 0) SchedulePump();
        if (told is not null) await told;
    }

    // A node that says nothing for so long has died, and its calls are over.
    private async Task StayAsync()
    {
        do
        {
            await Task.Delay(upstream.CurrentValue.Timeout / 2, clock);
            SchedulePump();
        }
        while (IsUnderWay());

        bool IsUnderWay()
        {
            lock (_lock) return _isStaying = _underWay.Count > 0;
        }
    }

    private async Task SchedulePumpLaterAsync()
    {
        lock (_lock)
        {
            if (_isPumpPlanned) return;
            _isPumpPlanned = true;
        }
        if (Waiting == 0) await Task.Delay(NoHurry);
        lock (_lock) _isPumpPlanned = false;
        SchedulePump();
    }

    private void SchedulePump()
    {
        lock (_lock)
        {
            _isDirty = true;
            _wake?.TrySetResult();
            if (_isPumping) return;
            _isPumping = true;
        }
        _ = PumpAsync();
    }

    // One question at a time, for all who wait.
    private async Task PumpAsync()
    {
        while (TryBegin())
        {
            TimeSpan wait;
            try
            {
                wait = await AskAsync();
            }
            catch (Exception e)
            {
                // Whoever waits is not to wait for ever.
                LogFailed(logger, account, e);
                wait = NoHurry;
            }
            Task? wake = null;
            lock (_lock)
            {
                if (!_isDirty && _line.Count == 0 && _doubts.Count == 0) continue;
                if (_doubts.Count > 0 && wait > BetweenLooksAtTrial) wait = BetweenLooksAtTrial;
                if (!_isDirty) wake = (_wake = new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
            // Yield, so that the caller that started the pump can continue.
            if (wake is null) await Task.Yield();
            else await wake.WaitAsync(wait > LeastWait ? wait : LeastWait, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool TryBegin()
    {
        lock (_lock)
        {
            _wake = null;
            _isPumping = _isDirty || _line.Count > 0 || _doubts.Count > 0;
            _isDirty = false;
            return _isPumping;
        }
    }

    private async ValueTask<TimeSpan> AskAsync()
    {
        var credentials = await accounts.CredentialsOfAsync(account);
        NodeReport report;
        TaskCompletionSource? told;
        Doubt[] doubts;
        lock (_lock)
        {
            // Those of which this report tells; others may come meanwhile.
            doubts = [.. _doubts];
            (report, told) = _news.Take(_node, _underWay, _line.Report(), Array.ConvertAll(credentials, one => one.Fingerprint));
        }
        var isHeard = true;
        try
        {
            if (credentials.Length == 0 || Options is not { } options)
            {
                lock (_lock)
                {
                    _news.Forget();
                    TurnAllAway(UpstreamFault.NoCredential, AccountHealth.ShortestPause);
                    foreach (var doubt in doubts) Decide(doubt, RefusalCause.Unknown);
                }
                return TimeSpan.Zero;
            }
            var teams = use.CurrentValue.TeamsOf(account);
            var reply = await book.AskAsync(report, AccountLimits.Of(options, upstream.CurrentValue.Timeout, teams));
            isHeard = reply != NodeReply.NotHeard;
            // A dead one may have been replaced while that was asked.
            var isReplaced = reply.Closed is { Reason: UpstreamFault.CredentialDead } && !await AreStillAsync(credentials);
            if (isHeard) Serve(credentials, report, reply, doubts, isReplaced);
            return reply.Wait;
        }
        finally
        {
            if (isHeard) told?.TrySetResult();
            else TellAgain(report, told);
        }
    }

    private void TellAgain(NodeReport report, TaskCompletionSource? told)
    {
        lock (_lock)
        {
            _isDirty = true;
            _news.NotHeard(report, told);
        }
    }

    private void Serve(Credential[] credentials, NodeReport report, NodeReply reply, Doubt[] doubts, bool isReplaced)
    {
        var credential = credentials[reply.Credential];
        if (!isReplaced) Credentials.Note(reply.Standing, isOnNext: reply.Credential > 0);
        _ = LookLaterAsync();
        lock (_lock)
        {
            _news.Heard(report);
            foreach (var doubt in doubts)
            {
                var which = Array.IndexOf(report.Credentials, doubt.Credential);
                var cause = which < 0 ? RefusalCause.Unknown : reply.Causes[which];
                if (cause != RefusalCause.Pending) Decide(doubt, cause);
            }
            if (reply.TrialJob is { } known) StartTrial(known, credential);
            foreach (var (rank, team) in reply.Granted)
            {
                var isTrial = reply.AreTrials && rank != CallRank.OtherCredential;
                // Whoever was meant may have gone; what is granted is granted.
                if ((_line.Take(rank, team) ?? _line.TakeAny()) is { } waiter)
                {
                    Begin(team);
                    waiter.Entered.TrySetResult(
                        new Entry(new CallPermit(this, credential, team, waiter.Job, isTrial, clock.GetTimestamp())));
                    continue;
                }
                // Nobody makes this call, and the others are to know it.
                _isDirty = true;
                if (isTrial)
                {
                    _news.Add(new EndedCall(CallEnd.Unknown, credential.Fingerprint, IsTrial: true),
                        clock.GetTimestamp());
                }
            }
            if (_underWay.Count > 0 && !_isStaying && isShared)
            {
                _isStaying = true;
                _ = StayAsync();
            }
            _isDirty |= isReplaced;
            if (isReplaced || reply.Closed is not { } closed) return;
            var left = TimeSpan.FromMicroseconds(Math.Max(0, closed.Until - book.Now));
            // A pause that ends soon may be waited for.
            if (closed.Reason != UpstreamFault.Paused || left > Options?.QueueTimeout / 2) TurnAllAway(closed.Reason, left);
        }
    }

    private void Begin(string team) => _underWay[team] = _underWay.GetValueOrDefault(team) + 1;

    private void Decide(Doubt doubt, RefusalCause cause)
    {
        if (_doubts.Remove(doubt)) doubt.Decided.TrySetResult(cause);
    }

    private void StartTrial(string job, Credential credential)
    {
        Begin(team: "");
        _ = TryAsync(job, credential, clock.GetTimestamp());
    }

    private async Task TryAsync(string job, Credential credential, long permitted)
    {
        var (workflow, name) = job.IndexOf('/', StringComparison.Ordinal) is > 0 and var at
            ? (job[..at], job[(at + 1)..]) : ("", "");
        var isJob = JobAddress.TryCreate(workflow, name, out var address);
        var permit = new CallPermit(this, credential, team: "", address, isTrial: true, permitted, isOfKnownJob: true);
        var answer = UpstreamAnswer.Failed(UpstreamFault.CallerGone);
        try
        {
            await Task.Yield();
            permit.GoOut();
            if (isJob) answer = await trials.MakeAsync(address, credential);
        }
        finally
        {
            await permit.EndAsync(AccountCalls.EndOf(answer), credential, answer.RetryAfter,
                isUnauthorized: answer.Status == 401);
        }
    }

    private async ValueTask<bool> AreStillAsync(Credential[] credentials) => (await accounts.CredentialsOfAsync(account))
        .Select(one => one.Fingerprint).SequenceEqual(credentials.Select(one => one.Fingerprint), StringComparer.Ordinal);

    private async Task LookLaterAsync()
    {
        if (await Credentials.WaitForLookAsync()) SchedulePump();
    }

    /// <summary>A caller that waits to know what a refusal is about.</summary>
    private sealed class Doubt(string credential)
    {
        /// <summary>The fingerprint of what was refused.</summary>
        public string Credential => credential;

        public TaskCompletionSource<RefusalCause> Decided { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(LogLevel.Error, "Calls of account {Account} could not be let through")]
    private static partial void LogFailed(ILogger logger, string account, Exception why);
}
