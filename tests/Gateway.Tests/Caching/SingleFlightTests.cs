using Gateway.Caching;

namespace Gateway.Tests.Caching;

public sealed class SingleFlightTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SingleFlight<string, object> _flights = new();

    [Fact]
    public async Task Five_hundred_joiners_share_one_flight()
    {
        var landing = new TaskCompletionSource<object>();
        int flown = 0, collapsed = 0;
        var joined = new Task<object>[500];

        Parallel.For(0, joined.Length, i =>
        {
            joined[i] = _flights.Join("k", _ =>
            {
                Interlocked.Increment(ref flown);
                return landing.Task;
            }, out var underWay);
            if (underWay) Interlocked.Increment(ref collapsed);
        });
        landing.SetResult("result");

        Assert.All(await Task.WhenAll(joined).WaitAsync(Patience, TestContext.Current.CancellationToken), result => Assert.Same("result", result));
        Assert.Equal((1, 499), (flown, collapsed));
    }

    [Fact]
    public async Task An_exception_reaches_all_and_the_next_one_flies_again()
    {
        var landing = new TaskCompletionSource<object>();
        var joined = Enumerable.Range(0, 10).Select(_ => _flights.Join("k", __ => landing.Task, out bool _)).ToArray();
        var failure = new InvalidOperationException("lost");
        landing.SetException(failure);

        foreach (var one in joined)
        {
            Assert.Same(failure, await Assert.ThrowsAsync<InvalidOperationException>(() => one.WaitAsync(Patience, TestContext.Current.CancellationToken)));
        }
        Assert.Equal("again", await JoinAsync("k", _ => Task.FromResult<object>("again")));
    }

    [Fact]
    public async Task A_flight_that_fails_before_it_waits_reaches_its_joiner()
    {
        var failure = new InvalidOperationException("lost");
        Assert.Same(failure, await Assert.ThrowsAsync<InvalidOperationException>(() => JoinAsync("k", _ => throw failure)));
        Assert.Equal("again", await JoinAsync("k", _ => Task.FromResult<object>("again")));
    }

    [Fact]
    public async Task Who_comes_after_the_landing_flies_again()
    {
        var flown = 0;
        for (var i = 1; i <= 100; i++) Assert.Equal(i, await JoinAsync("k", _ => Task.FromResult<object>(++flown)));
    }

    [Fact]
    public async Task Different_keys_fly_apart()
    {
        var landing = new TaskCompletionSource<object>();
        var first = _flights.Join("a", _ => landing.Task, out _);

        Assert.Equal("b", await JoinAsync("b", Task.FromResult<object>));

        Assert.False(first.IsCompleted);
        landing.SetResult("a");
        Assert.Equal("a", await first.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Nothing_of_the_first_joiner_flows_into_the_flight()
    {
        var ambient = new AsyncLocal<string?> { Value = "the first request" };
        Assert.Equal("nothing", await JoinAsync("k", _ => Task.FromResult<object>(ambient.Value ?? "nothing")));
        Assert.Equal("the first request", ambient.Value);
    }

    [Fact]
    public async Task A_joiner_that_gives_up_cancels_nothing()
    {
        var landing = new TaskCompletionSource<object>();
        using var leaving = new CancellationTokenSource();
        var left = _flights.Join("k", _ => landing.Task, out _).WaitAsync(leaving.Token);
        var stayed = _flights.Join("k", _ => landing.Task, out _);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        landing.SetResult("result");

        Assert.Equal("result", await stayed.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    private Task<object> JoinAsync(string key, Func<string, Task<object>> fly) =>
        _flights.Join(key, fly, out _).WaitAsync(Patience, TestContext.Current.CancellationToken);
}
