using System.Diagnostics.Metrics;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Caching;

public sealed class JobMemoryTests : IDisposable
{
    private static readonly JobKey Key = PurgeScopeTests.Key("a", "w", "j");

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private readonly PurgeMarks _purges = new();
    private readonly JobsOptions _options = new() { MemoryBytes = 2_000_000 };
    private readonly JobMemory _memory;

    public JobMemoryTests()
    {
        _memory = new JobMemory(Fixed.Of(_options), _purges,
            new CacheMetrics(_services.GetRequiredService<IMeterFactory>()), new SteadyClock(_clock));
    }

    public void Dispose()
    {
        _memory.Dispose();
        _services.Dispose();
    }

    [Theory]
    [InlineData(nameof(VerdictKind.Running), 1, nameof(VerdictKind.Running), 2, true)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Running), 1, false)]
    [InlineData(nameof(VerdictKind.Running), 2, nameof(VerdictKind.Finished), 1, true)]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.Running), 2, false)]
    [InlineData(nameof(VerdictKind.Finished), 1, nameof(VerdictKind.NotFound), 2, true)]
    [InlineData(nameof(VerdictKind.Finished), 2, nameof(VerdictKind.NotFound), 1, false)]
    [InlineData(nameof(VerdictKind.NotFound), 2, nameof(VerdictKind.Finished), 1, false)]
    [InlineData(nameof(VerdictKind.Failed), 1, nameof(VerdictKind.Running), 2, true)]
    public void A_snapshot_is_replaced_only_by_one_that_outranks_it(
        string firstKind, long firstOrder, string secondKind, long secondOrder, bool replaced)
    {
        var (first, second) = (Snapshot(firstKind, firstOrder), Snapshot(secondKind, secondOrder));
        Assert.Same(first, _memory.Keep(Key, first));
        var counts = replaced ? second : first;
        Assert.Same(counts, _memory.Keep(Key, second));
        Assert.Same(counts, _memory.Find(Key));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("a")]
    [InlineData("a/w")]
    [InlineData("a/w/j")]
    public void A_purged_job_is_removed_and_an_older_snapshot_is_not_stored_again(string name)
    {
        var other = PurgeScopeTests.Key("ab", "w", "j");
        _memory.Keep(Key, Snapshot(order: 1));
        _memory.Keep(other, Snapshot(order: 1));

        Assert.Equal(name == "*" ? 2 : 1, Purge(name, at: 5));

        Assert.Null(_memory.Find(Key));
        Assert.Equal(name != "*", _memory.Find(other) is not null);
        // An older snapshot answers the callers who waited for it, and is not stored.
        var late = Snapshot(order: 5);
        Assert.Same(late, _memory.Keep(Key, late));
        Assert.Null(_memory.Find(Key));
        var next = Snapshot(nameof(VerdictKind.Running), order: 6);
        Assert.Same(next, _memory.Keep(Key, next));
        Assert.Same(next, _memory.Find(Key));
    }

    [Fact]
    public void A_late_purge_message_keeps_a_snapshot_fetched_after_the_purge()
    {
        _memory.Keep(Key, Snapshot(order: 6));
        Assert.Equal(0, Purge("a", at: 5));
        Assert.NotNull(_memory.Find(Key));
    }

    [Fact]
    public async Task A_snapshot_that_does_not_fit_evicts_the_least_recently_used_ones()
    {
        var limit = _options.MemoryBytes;
        // Four snapshots leave less room than a fifth needs, and more than the cache's own margin.
        var body = (int)(limit * 0.22);
        for (var i = 0; i < 20; i++)
        {
            var key = PurgeScopeTests.Key("a", "w", $"j{i}");
            var snapshot = Snapshot(order: i + 1, body: body);
            Assert.Same(snapshot, await _memory.KeepAsync(key, snapshot));
            Assert.Same(snapshot, _memory.Find(key));
            Assert.InRange(_memory.Bytes, body, limit);
        }
        Assert.NotNull(_memory.Find(PurgeScopeTests.Key("a", "w", "j18")));
        Assert.Null(_memory.Find(PurgeScopeTests.Key("a", "w", "j0")));
    }

    [Fact]
    public async Task Eviction_runs_on_the_thread_pool_and_not_on_an_IO_thread()
    {
        var body = (int)(_options.MemoryBytes * 0.22);
        var moved = new List<bool>();
        for (var i = 0; i < 40; i++)
        {
            var key = PurgeScopeTests.Key("a", "w", $"j{i}");
            Task<bool>? keeping = null;
            // This thread is not a pool thread, like one that receives socket events.
            var thread = new Thread(() => keeping = IsMovedAsync(key, Snapshot(order: i + 1, body: body)));
            thread.Start();
            thread.Join();
            moved.Add(await keeping!);
        }
        Assert.DoesNotContain(true, moved[..4]);
        // The caller can miss one move, because it races with the eviction.
        Assert.InRange(moved.Count(has => has), 2, moved.Count - 4);

        async Task<bool> IsMovedAsync(JobKey key, JobSnapshot snapshot)
        {
            await _memory.KeepAsync(key, snapshot);
            return Thread.CurrentThread.IsThreadPoolThread;
        }
    }

    [Fact]
    public void A_snapshot_larger_than_the_whole_memory_is_not_stored_and_evicts_nothing()
    {
        var other = PurgeScopeTests.Key("a", "w", "other");
        _memory.Keep(other, Snapshot(order: 1));
        _memory.Keep(Key, Snapshot(order: 1, body: (int)_options.MemoryBytes));
        Assert.Null(_memory.Find(Key));
        Assert.NotNull(_memory.Find(other));
    }

    [Fact]
    public void A_late_snapshot_keeps_its_original_expiry_and_blocks_no_newer_one()
    {
        var old = Snapshot(order: 1, urlsExpireIn: TimeSpan.FromSeconds(10));
        Assert.Same(old, _memory.Keep(Key, old));
        _clock.Advance(TimeSpan.FromSeconds(61));
        var next = Snapshot(nameof(VerdictKind.Running), order: 2);
        Assert.Same(next, _memory.Keep(Key, next));
        Assert.Same(old, _memory.Keep(PurgeScopeTests.Key("a", "w", "late"), old));
        Assert.Null(_memory.Find(PurgeScopeTests.Key("a", "w", "late")));
    }

    [Fact]
    public void Snapshots_newer_than_a_given_order_can_be_removed()
    {
        var other = PurgeScopeTests.Key("a", "w", "other");
        _memory.Keep(Key, Snapshot(order: 100));
        _memory.Keep(other, Snapshot(order: 50));
        _memory.RemoveNewerThan(50);
        Assert.Null(_memory.Find(Key));
        Assert.NotNull(_memory.Find(other));
    }

    [Fact]
    public void A_failure_is_stored_during_its_back_off()
    {
        _memory.Keep(Key, Failure(order: 1));
        Assert.NotNull(_memory.FindFailure(Key));
        Assert.Null(_memory.FindFailure(PurgeScopeTests.Key("a", "w", "jj")));
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Null(_memory.FindFailure(Key));
    }

    [Fact]
    public void A_stored_failure_reports_the_remaining_back_off()
    {
        var asked = new UpstreamAnswer(503, [], TimeSpan.FromSeconds(30), UpstreamFault.None);
        _memory.Keep(Key, Failure(order: 1) with { Answer = asked, BackOff = TimeSpan.FromSeconds(20) });
        _clock.Advance(TimeSpan.FromSeconds(12));
        Assert.Equal(TimeSpan.FromSeconds(18), _memory.FindFailure(Key)!.Answer.RetryAfter);
    }

    [Theory]
    [InlineData(12, 18)]
    // The back-off and the time that the upstream asked for are both over.
    [InlineData(25, 5)]
    [InlineData(45, 0)]
    public void The_last_failure_reports_the_rest_of_the_upstreams_retry_after(int seconds, int left)
    {
        var asked = new UpstreamAnswer(503, [], TimeSpan.FromSeconds(30), UpstreamFault.None);
        _memory.Keep(Key, Failure(order: 1) with { Answer = asked, BackOff = TimeSpan.FromSeconds(20) });
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        Assert.Equal(TimeSpan.FromSeconds(left), _memory.FindLastFailure(Key)!.Answer.RetryAfter);
    }

    [Fact]
    public void A_failure_without_a_back_off_is_not_stored()
    {
        _memory.Keep(Key, Failure(order: 1) with { BackOff = TimeSpan.Zero });
        Assert.Null(_memory.FindFailure(Key));
    }

    [Fact]
    public void A_purged_failure_is_removed_and_an_older_one_is_not_stored_again()
    {
        _memory.Keep(Key, Failure(order: 1));
        Assert.Equal(0, Purge("a/w", at: 5));
        Assert.Null(_memory.FindFailure(Key));
        _memory.Keep(Key, Failure(order: 5));
        Assert.Null(_memory.FindFailure(Key));
        _memory.Keep(Key, Failure(order: 6));
        Assert.NotNull(_memory.FindFailure(Key));
    }

    [Fact]
    public async Task A_purge_that_races_with_stores_leaves_no_older_snapshot()
    {
        for (var at = 10L; at < 5000; at += 10)
        {
            var orders = Enumerable.Range(1, 3).Select(i => at - i).ToList();
            await Task.WhenAll(
                [Task.Run(() => Purge("a/w", at), World.Cancellation), .. orders.Select(order =>
                    Task.Run(() => _memory.Keep(Key, Snapshot(order: order)), World.Cancellation))]);
            Assert.Null(_memory.Find(Key));
        }
    }

    [Fact]
    public async Task A_coding_that_is_made_later_counts_towards_the_memory()
    {
        var job = _memory.Keep(Key, Snapshot(order: 1, body: 10_000));
        var before = _memory.Bytes;
        var made = await job.EncodeAsync([ContentCoding.Brotli]);
        Assert.Equal(before, _memory.Bytes);

        await _memory.UpdateSizeAsync(Key, job);
        Assert.InRange(_memory.Bytes, before + made.Body.Length, before + made.Body.Length + 500);
        Assert.Equal(job.Size, _memory.Bytes);
        Assert.Same(job, _memory.Find(Key));

        // A snapshot that is no longer stored adds nothing.
        var newer = _memory.Keep(Key, Snapshot(order: 2, body: 10));
        var after = _memory.Bytes;
        await _memory.UpdateSizeAsync(Key, job);
        Assert.Same(newer, _memory.Find(Key));
        Assert.Equal(after, _memory.Bytes);
    }

    private int Purge(string name, long at)
    {
        Assert.True(PurgeScope.TryParse(name, out var scope));
        Assert.True(_purges.Add(scope, at));
        return _memory.Remove(scope);
    }

    private static FailedFill Failure(long order) =>
        new(new Verdict(VerdictKind.Broken, TimeSpan.Zero), UpstreamAnswer.Failed(UpstreamFault.Unreachable),
            TimeSpan.FromSeconds(5))
        { Order = order };

    private static JobSnapshot Snapshot(string kind = nameof(VerdictKind.Finished), long order = 0, int body = 1,
        TimeSpan? urlsExpireIn = null) => new()
        {
            Order = order,
            Kind = Enum.Parse<VerdictKind>(kind),
            FetchedAt = DateTimeOffset.UtcNow,
            FreshUntil = DateTimeOffset.UtcNow.AddMinutes(1),
            UrlsExpireAt = urlsExpireIn is { } left ? DateTimeOffset.UtcNow + left : null,
            Identity = new Representation(ContentCoding.Identity, new byte[body]),
        };
}
