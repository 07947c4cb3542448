using System.Security.Cryptography;
using System.Text;
using Gateway.Configuration;
using Gateway.Jobs;
using Gateway.Limits;
using Gateway.Operations;

namespace Gateway.Upstream;

/// <summary>
/// The calls of one account on this node: they wait here until all nodes together may make one more, for a short while and
/// not too many of them. It asks for all that wait at once, of Redis where there is one, and else of its own memory.
/// </summary>
internal sealed partial class AccountGate(
    string account, Accounts accounts, SharedAccounts shared, SharedQuotas nodes, LiveConfiguration configuration,
    GatewayMetrics metrics, TimeProvider clock, ILogger<AccountGate> logger)
{
    private const int LongestLine = 10_000, KeptEnds = 1_000;

    private static readonly TimeSpan LongestPromise = TimeSpan.FromMinutes(1), NoHurry = TimeSpan.FromMilliseconds(50);

    // What timers can do.
    private static readonly TimeSpan LeastWait = TimeSpan.FromMilliseconds(1);

    // Whoever shares a Redis goes by its time, which cannot be replaced.
    private readonly TimeProvider _clock = shared.IsConfigured ? TimeProvider.System : clock;
    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly Lock _lock = new();
    private readonly WaitingLine _line = new();
    private readonly SharedAccounts.LastSeen _seen = new();
    private readonly Dictionary<string, double> _promises = new(StringComparer.Ordinal);
    private List<EndedCall> _ended = [];
    private AccountState? _alone;
    private volatile string[] _dead = [];
    private int _underWay, _spentAlone, _nodesSeen = 1;
    private bool _isPumping, _isDirty, _isKickPlanned;
    private TaskCompletionSource _nudge = new(), _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether the upstream takes none of the account's credentials, as far as it is known.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>Whether the next credential has taken over.</summary>
    public bool IsOnNext { get; private set; }

    /// <summary>Calls that wait on this node.</summary>
    public int Waiting
    {
        get { lock (_lock) return _line.Count; }
    }

    private double Now => (_clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMicroseconds;

    /// <summary>What to try instead of a credential that was refused; null: there is nothing.</summary>
    public Credential? OtherThan(Credential refused) => accounts.CredentialsOf(account)
        .FirstOrDefault(credential => credential.Fingerprint != refused.Fingerprint && !_dead.Contains(credential.Fingerprint));

    /// <summary>Waits until one call may go out.</summary>
    /// <param name="team">Whose turn it takes.</param>
    /// <param name="patience">How long at most.</param>
    public async ValueTask<Entry> EnterAsync(CallRank rank, string team, JobAddress job, TimeSpan patience)
    {
        var waiter = new WaitingLine.Waiter(rank, team, job);
        var started = _clock.GetTimestamp();
        lock (_lock) Admit(waiter);
        Kick();
        if (!waiter.Entered.Task.IsCompleted)
        {
            await ((Task)waiter.Entered.Task).WaitAsync(patience, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            lock (_lock)
            {
                // Where it may be the job and not the credential, what is known of other jobs answers.
                var fault = IsRefused && rank != CallRank.Refresh ? UpstreamFault.CredentialDead : UpstreamFault.OverBudget;
                if (_line.Remove(waiter)) Turn(waiter, fault, null);
            }
        }
        var entry = await waiter.Entered.Task;
        metrics.Queued(account, _clock.GetElapsedTime(started), entry.Fault);
        return entry;
    }

    /// <summary>Lets the call for a job that is waiting go out at another team's turn, too.</summary>
    public void Join(JobAddress job, string team)
    {
        lock (_lock)
        {
            if (_line.Count == 0 || _line.Find(job) is not { } waiter || !_line.Join(waiter, team)) return;
        }
        Kick();
    }

    /// <summary>Tells the other nodes what has happened on this one while they could not be told.</summary>
    public void TellOfTimeAlone()
    {
        if (_alone is not null) Kick();
    }

    private void Admit(WaitingLine.Waiter waiter)
    {
        _line.Add(waiter);
        if (waiter.Rank == CallRank.OtherCredential || _line.Count <= Longest()) return;
        var surplus = _line.Surplus();
        _line.Remove(surplus);
        Turn(surplus, UpstreamFault.OverBudget, null);
    }

    // Twice what comes to be served in time.
    private int Longest()
    {
        if (Options is not { } options) return LongestLine;
        var served = options.Burst + options.RequestsPerSecond * options.QueueTimeout.TotalSeconds;
        return (int)Math.Min(LongestLine, Math.Ceiling(2 * served));
    }

    private AccountOptions? Options => configuration.Current.Upstream.Accounts.GetValueOrDefault(account);

    // Those who are turned away are told to come back one after the other, as the budget allows.
    private void Turn(WaitingLine.Waiter waiter, UpstreamFault fault, TimeSpan? retryAfter)
    {
        if (retryAfter is null && Options is { } options)
        {
            var spacing = 1e6 / options.RequestsPerSecond * _nodesSeen * Math.Max(1, _line.Teams);
            var promised = Math.Clamp(_promises.GetValueOrDefault(waiter.Team), Now, Now + LongestPromise.TotalMicroseconds) + spacing;
            _promises[waiter.Team] = promised;
            var wait = TimeSpan.FromMicroseconds(promised - Now);
            retryAfter = wait < LongestPromise ? wait : LongestPromise;
        }
        waiter.Entered.TrySetResult(new Entry(null, fault, retryAfter ?? TimeSpan.Zero));
    }

    private async ValueTask LeaveAsync(EndedCall end)
    {
        Task told;
        lock (_lock)
        {
            _underWay--;
            if (_ended.Count < KeptEnds) _ended.Add(end);
            told = _told.Task;
        }
        // What went well can wait for the next question; what stops other nodes cannot.
        if (end.End == CallEnd.Accepted && !end.IsTrial && end.Supersedes is null && shared.IsConfigured) _ = KickLaterAsync();
        else Kick();
        if (end.End is CallEnd.Busy or CallEnd.Unauthorized || end.Supersedes is not null) await told;
    }

    private async Task KickLaterAsync()
    {
        lock (_lock)
        {
            if (_isKickPlanned) return;
            _isKickPlanned = true;
        }
        if (Waiting == 0) await Task.Delay(NoHurry);
        lock (_lock) _isKickPlanned = false;
        Kick();
    }


    private void Kick()
    {
        lock (_lock)
        {
            _isDirty = true;
            _nudge.TrySetResult();
            if (_isPumping) return;
            _isPumping = true;
        }
        _ = PumpAsync();
    }

    // One question at a time, for all who wait.
    private async Task PumpAsync()
    {
        while (TryBegin(out var nudge))
        {
            TimeSpan wait;
            try
            {
                wait = await AskAsync();
            }
            catch (Exception e)
            {
                // Whoever waits is not to wait for ever.
                Log.Failed(logger, account, e);
                wait = NoHurry;
            }
            bool isDirty;
            lock (_lock)
            {
                if (!_isDirty && _line.Count == 0) continue;
                isDirty = _isDirty;
            }
            // Whoever began this has a call of its own to make.
            if (isDirty) await Task.Yield();
            else await nudge.WaitAsync(wait > LeastWait ? wait : LeastWait, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool TryBegin(out Task nudge)
    {
        lock (_lock)
        {
            if (_nudge.Task.IsCompleted) _nudge = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            nudge = _nudge.Task;
            _isPumping = _isDirty || _line.Count > 0;
            _isDirty = false;
            return _isPumping;
        }
    }

    private async ValueTask<TimeSpan> AskAsync()
    {
        var credentials = accounts.CredentialsOf(account);
        NodeReport report;
        TaskCompletionSource told;
        var isTold = true;
        lock (_lock)
        {
            (told, _told) = (_told, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            report = new NodeReport(_node, _underWay, _line.Report(), [.. _ended], Array.ConvertAll(credentials, one => one.Fingerprint), _spentAlone);
        }
        try
        {
            if (credentials.Length == 0 || Options is not { } options) return Refuse();
            var reply = await ExchangeAsync(report, AccountLimits.Of(options, configuration.Current.Upstream.Timeout));
            if (reply != SharedAccounts.Crowded) return Serve(credentials, report, reply);
            isTold = false;
            return AskAgain(told);
        }
        finally
        {
            if (isTold) told.TrySetResult();
        }
    }

    // Nobody has been told: whoever waits for that waits for the next question.
    private TimeSpan AskAgain(TaskCompletionSource told)
    {
        lock (_lock)
        {
            _isDirty = true;
            _ = _told.Task.ContinueWith(_ => told.TrySetResult(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
        return TimeSpan.Zero;
    }

    private TimeSpan Refuse()
    {
        lock (_lock)
        {
            _ended.Clear();
            foreach (var waiter in _line.All.ToList())
            {
                _line.Remove(waiter);
                Turn(waiter, UpstreamFault.NoCredential, AccountHealth.ShortestPause);
            }
        }
        return TimeSpan.Zero;
    }

    private async ValueTask<NodeReply> ExchangeAsync(NodeReport report, AccountLimits limits)
    {
        if (shared.IsAvailable)
        {
            var alone = _alone;
            var reply = await shared.ChangeAsync(account, _seen, (state, now) =>
            {
                if (alone is not null) state.Health.Merge(alone.Health);
                return state.Exchange(report, limits, now);
            });
            if (reply == SharedAccounts.Crowded) return reply;
            if (reply is not null)
            {
                _alone = null;
                _nodesSeen = Math.Max(1, _seen.Own!.Nodes.Count);
                lock (_lock) _spentAlone -= report.SpentAlone;
                return reply;
            }
        }
        if (!shared.IsConfigured) return (_alone ??= new AccountState()).Exchange(report, limits, Now);

        // By the clock of Redis still, as far as it is known.
        var time = _seen.Own is null ? Now : _seen.Now;
        var share = limits.Share(nodes.Nodes);
        var answer = (_alone ??= AccountState.Alone(_seen.Own?.Health, share, time)).Exchange(report with { SpentAlone = 0 }, share, time);
        lock (_lock) _spentAlone += answer.Granted.Count;
        return answer;
    }

    private TimeSpan Serve(Credential[] credentials, NodeReport report, NodeReply reply)
    {
        var health = (_alone ?? _seen.Own)?.Health ?? new AccountHealth();
        _dead = [.. health.Dead];
        var credential = credentials[reply.Credential];
        Tell(isRefused: health.Dead.Contains(credential.Fingerprint) || health.IsSuspect, isOnNext: reply.Credential > 0);
        lock (_lock)
        {
            _ended = _ended[report.Ended.Length..];
            foreach (var (rank, team) in reply.Granted)
            {
                // Whoever was meant may have gone; what is granted is granted.
                var waiter = _line.Take(rank, team) ?? _line.TakeAny();
                if (waiter is null)
                {
                    // A trial that nobody makes is over.
                    if (!reply.AreTrials || rank == CallRank.OtherCredential) continue;
                    _ended.Add(new EndedCall(CallEnd.Unknown, credential.Fingerprint, IsTrial: true));
                    _isDirty = true;
                    continue;
                }
                _underWay++;
                waiter.Entered.TrySetResult(new Entry(new Permit(this, credential, reply.AreTrials && rank != CallRank.OtherCredential, waiter.Job)));
            }
            if (reply.Closed is { } closed) TurnAll(closed);
        }
        return reply.Wait;
    }

    private void Tell(bool isRefused, bool isOnNext)
    {
        if (isRefused && !IsRefused) Log.Refused(logger, account);
        if (isOnNext && !IsOnNext) Log.OnNext(logger, account);
        if (IsRefused && !isRefused) Log.TakenAgain(logger, account);
        (IsRefused, IsOnNext) = (isRefused, isOnNext);
    }

    // A pause that ends soon may be waited for.
    private void TurnAll(Closed closed)
    {
        var now = shared.IsConfigured && _seen.Own is not null ? _seen.Now : Now;
        var left = TimeSpan.FromMicroseconds(Math.Max(0, closed.Until - now));
        if (closed.Reason == UpstreamFault.Paused && left <= Options?.QueueTimeout / 2) return;
        foreach (var waiter in _line.All.ToList())
        {
            _line.Remove(waiter);
            Turn(waiter, closed.Reason, left);
        }
    }

    /// <summary>One call. It must be ended.</summary>
    internal sealed class Permit(AccountGate gate, Credential credential, bool isTrial, JobAddress job)
    {
        /// <summary>What to make it with, unless it is for the other one.</summary>
        public Credential Credential => credential;

        /// <summary>Says how it ended, and waits until all nodes can know it where they must.</summary>
        public ValueTask EndAsync(CallEnd end, Credential used, TimeSpan? retryAfter = null, Credential? supersedes = null) =>
            gate.LeaveAsync(new EndedCall(end, used.Fingerprint, NumberOf(job), isTrial, retryAfter, supersedes?.Fingerprint));

        // The same on each node.
        private static int NumberOf(JobAddress job) => BitConverter.ToInt32(SHA256.HashData(Encoding.ASCII.GetBytes($"{job.Workflow}/{job.Job}")));
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Critical, "The upstream takes no credential of account {Account}: replace it")]
        public static partial void Refused(ILogger logger, string account);

        [LoggerMessage(LogLevel.Warning, "The upstream takes the credential of account {Account} no longer; the next one has taken over")]
        public static partial void OnNext(ILogger logger, string account);

        [LoggerMessage(LogLevel.Information, "The upstream takes a credential of account {Account} again")]
        public static partial void TakenAgain(ILogger logger, string account);

        [LoggerMessage(LogLevel.Error, "Calls of account {Account} could not be let through")]
        public static partial void Failed(ILogger logger, string account, Exception why);
    }
}
