using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.Redis;

namespace Gateway.Tests.Redis;

[Trait("Kind", "Unit")]
public sealed class TimeBudgetTests
{
    private static readonly TimeSpan Total = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task A_reply_within_the_budget_is_returned() =>
        Assert.Equal(7, await new TimeBudget(Total).WaitAsync(After(TimeSpan.FromMilliseconds(50))));

    [Fact]
    public async Task A_budget_ends_after_its_time()
    {
        var started = Stopwatch.StartNew();
        await Assert.ThrowsAsync<TimeoutException>(() => new TimeBudget(Total).WaitAsync(Never()));
        Assert.InRange(started.Elapsed, Total * 0.9, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_budget_is_shared_by_all_round_trips_of_a_request()
    {
        var budget = new TimeBudget(Total);
        await Assert.ThrowsAsync<TimeoutException>(() => budget.WaitAsync(Never()));

        var started = Stopwatch.StartNew();
        await Assert.ThrowsAsync<TimeoutException>(() => budget.WaitAsync(Never()));
        Assert.InRange(started.Elapsed, TimeSpan.Zero, Total * 0.9);
        Assert.Equal(7, await budget.WaitAsync(Task.FromResult(7)));
    }

    [Fact]
    public async Task A_budget_is_longer_for_large_values()
    {
        var started = Stopwatch.StartNew();
        await Assert.ThrowsAsync<TimeoutException>(
            () => new TimeBudget(Total).For(bytes: 8_000_000).WaitAsync(Never()));
        Assert.InRange(started.Elapsed, Total * 2.7, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_failed_reply_throws_its_own_exception() =>
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => new TimeBudget(Total).WaitAsync(Task.FromException<int>(new InvalidOperationException())));

    [Fact]
    public void Time_during_which_the_process_is_paused_does_not_count()
    {
        using var pump = new OneThread();
        SynchronizationContext.SetSynchronizationContext(pump);
        var waiting = new TimeBudget(Total).WaitAsync(After(Total * 1.5));

        Thread.Sleep(Total * 3);
        pump.RunUntil(waiting);

        Assert.True(waiting.IsCompletedSuccessfully);
    }

    private static async Task<int> After(TimeSpan time)
    {
        await Task.Delay(time).ConfigureAwait(false);
        return 7;
    }

    private static Task<int> Never() => new TaskCompletionSource<int>().Task;

    // Runs all continuations on one thread, and only while that thread runs the pump.
    private sealed class OneThread : SynchronizationContext, IDisposable
    {
        private readonly BlockingCollection<(SendOrPostCallback, object?)> _work = [];

        public override void Post(SendOrPostCallback d, object? state) => _work.Add((d, state));

        public void RunUntil(Task done)
        {
            while (!done.IsCompleted)
            {
                if (_work.TryTake(out var work, TimeSpan.FromSeconds(5))) work.Item1(work.Item2);
            }
        }

        public void Dispose()
        {
            SetSynchronizationContext(null);
            _work.Dispose();
        }
    }
}
