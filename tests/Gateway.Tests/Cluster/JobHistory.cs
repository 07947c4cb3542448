using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Redis;

namespace Gateway.Tests.Cluster;

/// <summary>One job on several nodes, with the invariants that must hold after each step.</summary>
internal sealed class JobHistory
{
    private const int FinishedAt = 3, Gone = -1;

    private readonly InterleavingTests.Node[] _nodes;
    private readonly Fetch?[] _fetches;
    private readonly long[] _knownPurge;
    private readonly JobKey _key;
    private FetchLock.Acquired? _holder;
    private int _progress;
    private bool _isGone;
    private long _lastOrder;
    private long _purgedAt;

    public JobHistory(InterleavingTests.Node[] nodes)
    {
        (_nodes, _fetches, _knownPurge) = (nodes, new Fetch?[nodes.Length], new long[nodes.Length]);
        JobAddress.TryCreate("interleaved", $"{Guid.NewGuid():N}", out var address);
        _key = new JobKey("default", address);
    }

    public Task StepAsync(int i) => _fetches[i] switch
    {
        null => LockAsync(i),
        { Answer: null } => AskAsync(i),
        _ => StoreAsync(i),
    };

    public Task StepAloneAsync(int i) => _fetches[i] switch
    {
        null => FetchAloneAsync(i),
        { Answer: null } => AskAsync(i),
        _ => StoreAloneAsync(i),
    };

    private async Task LockAsync(int i)
    {
        var kept = _nodes[i].Memory.Find(_key);
        var budget = Budget(i);
        // Takes the lock like a fill: in one round trip, or in two if the job is known or large.
        var ((known, unusable), fetchLock) = i == 0
            ? (await _nodes[i].Cache.FindAsync(_key, budget), null)
            : await _nodes[i].Cache.FindOrLockAsync(_key, 0, TimeSpan.FromMinutes(1), budget);
        if (kept is not null) AssertNotBack(kept, known!, "The found snapshot");
        AssertMemory(i, kept);
        Assert.True(known is null || known.Order > _knownPurge[i],
            "A node was given a snapshot that it knows to be purged.");
        fetchLock ??= await _nodes[i].Shared.LockAsync(
            _key, known?.Order ?? 0, 0, unusable, TimeSpan.FromMinutes(1), budget);
        Assert.NotNull(fetchLock);
        if (fetchLock is not FetchLock.Acquired mine) return;
        Assert.True(mine.Order > (known?.Order ?? 0) && mine.Order > _knownPurge[i],
            "The order of a fetch lock is not above the known orders.");
        Assert.Null(_holder);
        _holder = mine;
        Begin(i, mine.Order, mine);
    }

    private Task FetchAloneAsync(int i)
    {
        Begin(i, Now(), null);
        return Task.CompletedTask;
    }

    private Task AskAsync(int i)
    {
        _fetches[i] = _fetches[i]! with { Answer = _isGone ? Gone : _progress };
        return Task.CompletedTask;
    }

    private async Task StoreAsync(int i)
    {
        var (fetch, snapshot) = End(i);
        if (fetch.Lock == _holder) _holder = null;
        var (stored, kept) = (await StoredAsync(), _nodes[i].Memory.Find(_key));

        var (counts, _) = await _nodes[i].Cache.StoreAsync(_key, snapshot, fetch.Lock, Budget(i));

        var now = await StoredAsync();
        Assert.True(now is not null || (stored is null && snapshot.Order <= _knownPurge[i]), "Nothing is stored.");
        if (stored?.Order > _purgedAt) AssertNotBack(stored, now!, "Redis");
        if (stored?.Order > _purgedAt) AssertNotBack(stored, counts, "An answer");
        if (kept?.Order > _purgedAt) AssertNotBack(kept, counts, "An answer after memory");
        if (snapshot.Order > _purgedAt) AssertNotBack(snapshot, now!, "The stored snapshot");
        if (stored?.Order <= _knownPurge[i] && snapshot.Order > _knownPurge[i])
            Assert.Equal(snapshot.Order, now!.Order);
        AssertMemory(i, kept);
        await AssertOnlyFinishedAsync();
    }

    // The key of the finished job never holds an unfinished one.
    private async Task AssertOnlyFinishedAsync()
    {
        var bytes = await _nodes[0].Redis.AskAsync<byte[]>(
            async database => (byte[]?)await database.HashGetAsync(SharedJobs.FinishedKey(Name), "data"), Budget(0));
        if (bytes is null) return;
        Assert.Equal(VerdictKind.Finished, SnapshotEnvelope.Read(bytes, _key.Name, out _)?.Kind);
        Assert.True(string.IsNullOrEmpty(await _nodes[0].Redis.AskAsync<string>(
            async database => (string?)await database.HashGetAsync(Name, "data"), Budget(0))),
            "The job is stored under both keys.");
    }

    private async Task StoreAloneAsync(int i)
    {
        var (_, snapshot) = End(i);
        var kept = _nodes[i].Memory.Find(_key);

        var (counts, _) = await _nodes[i].CacheAlone.StoreAsync(_key, snapshot, null, Budget(i));

        if (kept is not null) AssertNotBack(kept, counts, "An answer out of memory");
        AssertMemory(i, kept);
    }

    private void AssertMemory(int i, JobSnapshot? before)
    {
        var now = _nodes[i].Memory.Find(_key);
        Assert.True(now is null || now.Order > _knownPurge[i],
            "Memory holds a snapshot that this node knows to be purged.");
        if (before is not null && now is not null) AssertNotBack(before, now, "Memory");
    }

    private (Fetch Fetch, JobSnapshot Snapshot) End(int i)
    {
        var fetch = _fetches[i]!;
        _fetches[i] = null;
        return (fetch, Snapshot(fetch.Answer!.Value, fetch.Order));
    }

    public Task AbandonAsync(int i)
    {
        _fetches[i] = null;
        return Task.CompletedTask;
    }

    public async Task LoseLockAsync()
    {
        _holder = null;
        await _nodes[0].Redis.AskAsync<object>(
            async database => await database.KeyDeleteAsync($"{Name}:lock"), Budget(0));
    }

    public Task ProgressAsync()
    {
        _progress = Math.Min(_progress + 1, FinishedAt);
        return Task.CompletedTask;
    }

    public Task GoOrComeBackAsync()
    {
        _isGone = !_isGone;
        return Task.CompletedTask;
    }

    public async Task PurgeAsync(int i)
    {
        _purgedAt = Now();
        await LearnOfPurgeAsync(i);
    }

    public Task LearnOfPurgeAsync(int i)
    {
        if (_knownPurge[i] == _purgedAt) return Task.CompletedTask;
        _knownPurge[i] = _purgedAt;
        var scope = new PurgeScope(_key.Account, _key.Address.Workflow, _key.Address.Job);
        _nodes[i].Purges.Add(scope, _purgedAt);
        _nodes[i].Memory.Remove(scope);
        Assert.False(_nodes[i].Memory.Find(_key)?.Order <= _purgedAt, "Memory holds a purged snapshot.");
        return Task.CompletedTask;
    }

    private string Name => _key.Name;

    private TimeBudget Budget(int i) => _nodes[i].Redis.NewTimeBudget();

    private void Begin(int i, long order, FetchLock.Acquired? fetchLock)
    {
        _lastOrder = Math.Max(_lastOrder, order);
        _fetches[i] = new Fetch(order, fetchLock, null);
    }

    private long Now() => _lastOrder = Math.Max(
        _lastOrder + 1, (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);

    private async Task<JobSnapshot?> StoredAsync() => (await _nodes[0].Observer.FindAsync(_key, Budget(0))).Snapshot;

    private static void AssertNotBack(JobSnapshot before, JobSnapshot after, string what)
    {
        var back = before.Kind == VerdictKind.NotFound || after.Kind == VerdictKind.NotFound
            ? after.Order < before.Order
            : before.Kind == VerdictKind.Finished ? after.Kind != VerdictKind.Finished || after.Order < before.Order
            : after.Kind != VerdictKind.Finished && after.Order < before.Order;
        Assert.False(back, $"{what} went back from {before.Kind} {before.Order} to {after.Kind} {after.Order}.");
    }

    private static JobSnapshot Snapshot(int progress, long order)
    {
        var now = DateTimeOffset.UtcNow;
        return new JobSnapshot
        {
            Order = order,
            Kind = progress switch
            {
                FinishedAt => VerdictKind.Finished,
                Gone => VerdictKind.NotFound,
                _ => VerdictKind.Running
            },
            FetchedAt = now,
            FreshUntil = now.AddMinutes(1),
            Identity = new Representation(ContentCoding.Identity, new byte[] { (byte)progress }),
        };
    }

    private sealed record Fetch(long Order, FetchLock.Acquired? Lock, int? Answer);
}
