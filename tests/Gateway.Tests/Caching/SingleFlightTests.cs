using Gateway.Caching;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class SingleFlightTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly SingleFlight<string, object> _flights = new();

    [Fact]
    public async Task Five_hundred_callers_share_one_flight()
    {
        var completion = new TaskCompletionSource<object>();
        int started = 0, coalesced = 0;
        var joined = new Task<object>[500];

        Parallel.For(0, joined.Length, i =>
        {
            joined[i] = _flights.Join("k", _ =>
            {
                Interlocked.Increment(ref started);
                return completion.Task;
            }, out var wasRunning);
            if (wasRunning) Interlocked.Increment(ref coalesced);
        });
        completion.SetResult("result");

        Assert.All(await Task.WhenAll(joined).WaitAsync(Timeout, TestContext.Current.CancellationToken),
            result => Assert.Same("result", result));
        Assert.Equal((1, 499), (started, coalesced));
    }

    [Fact]
    public async Task An_exception_reaches_all_callers_and_the_next_caller_starts_a_new_flight()
    {
        var completion = new TaskCompletionSource<object>();
        var joined = Enumerable.Range(0, 10)
            .Select(_ => _flights.Join("k", __ => completion.Task, out bool _)).ToArray();
        var failure = new InvalidOperationException("lost");
        completion.SetException(failure);

        foreach (var one in joined)
        {
            Assert.Same(failure, await Assert.ThrowsAsync<InvalidOperationException>(
                () => one.WaitAsync(Timeout, TestContext.Current.CancellationToken)));
        }
        Assert.Equal("again", await JoinAsync("k", _ => Task.FromResult<object>("again")));
    }

    [Fact]
    public async Task An_exception_thrown_synchronously_reaches_the_caller()
    {
        var failure = new InvalidOperationException("lost");
        Assert.Same(failure, await Assert.ThrowsAsync<InvalidOperationException>(
            () => JoinAsync("k", _ => throw failure)));
        Assert.Equal("again", await JoinAsync("k", _ => Task.FromResult<object>("again")));
    }

    [Fact]
    public async Task A_caller_after_the_end_of_a_flight_starts_a_new_one()
    {
        var started = 0;
        for (var i = 1; i <= 100; i++) Assert.Equal(i, await JoinAsync("k", _ => Task.FromResult<object>(++started)));
    }

    [Fact]
    public async Task Different_keys_have_separate_flights()
    {
        var completion = new TaskCompletionSource<object>();
        var first = _flights.Join("a", _ => completion.Task, out _);

        Assert.Equal("b", await JoinAsync("b", Task.FromResult<object>));

        Assert.False(first.IsCompleted);
        completion.SetResult("a");
        Assert.Equal("a", await first.WaitAsync(Timeout, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_execution_context_of_the_first_caller_does_not_flow_into_the_flight()
    {
        var ambient = new AsyncLocal<string?> { Value = "the first request" };
        Assert.Equal("nothing", await JoinAsync("k", _ => Task.FromResult<object>(ambient.Value ?? "nothing")));
        Assert.Equal("the first request", ambient.Value);
    }

    [Fact]
    public async Task A_caller_that_cancels_does_not_cancel_the_flight()
    {
        var completion = new TaskCompletionSource<object>();
        using var leaving = new CancellationTokenSource();
        var left = _flights.Join("k", _ => completion.Task, out _).WaitAsync(leaving.Token);
        var stayed = _flights.Join("k", _ => completion.Task, out _);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        completion.SetResult("result");

        Assert.Equal("result", await stayed.WaitAsync(Timeout, TestContext.Current.CancellationToken));
    }

    private Task<object> JoinAsync(string key, Func<string, Task<object>> start) =>
        _flights.Join(key, start, out _).WaitAsync(Timeout, TestContext.Current.CancellationToken);
}
