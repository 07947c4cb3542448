using System.Diagnostics;
using System.Net.Sockets;
using Gateway.Redis;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Gateway.Tests.Redis;

public sealed class RedisConnectionTests : IDisposable
{
    private readonly LogLines _log = new();
    private readonly LoggerFactory _loggers;
    private readonly RedisConnection _redis;

    public RedisConnectionTests()
    {
        _loggers = new LoggerFactory([_log]);
        _redis = Fixed.Redis($"127.0.0.1:{ChildProcess.FreePort()}", _loggers.CreateLogger<RedisConnection>());
    }

    public void Dispose()
    {
        _redis.Dispose();
        _loggers.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task Changes_of_the_connection_are_logged_at_most_once_a_second()
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(2.5) || _log.All.Count < 2)
        {
            _redis.MarkAvailable();
            _redis.MarkUnavailable(new TimeoutException("away"));
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        Assert.InRange(_log.All.Count, 2, 1 + (int)watch.Elapsed.TotalSeconds);
    }

    [Fact]
    public async Task Lost_is_raised_once_per_outage()
    {
        var raised = 0;
        _redis.Lost += () => raised++;
        _redis.MarkUnavailable(new TimeoutException());
        _redis.MarkAvailable();
        _redis.MarkUnavailable(new TimeoutException());
        _redis.MarkUnavailable(new TimeoutException());
        Assert.Equal(1, raised);

        // Failures during the outage do not raise the event again.
        Assert.Null(await _redis.TryAsync<string>(_ => throw new InvalidOperationException(), _redis.NewTimeBudget()));
        Assert.Equal(1, raised);
    }

    [Fact]
    public async Task An_unexpected_exception_is_logged_with_its_stack_and_keeps_Redis_available()
    {
        _redis.MarkAvailable();
        var budget = new TimeBudget(TimeSpan.FromSeconds(30));
        for (var i = 0; i < 20; i++) Assert.Null(await _redis.TryAsync<string>(_ => Defective(), budget));

        Assert.True(_redis.IsAvailable);
        var line = Assert.Single(_log.All, line => line.Contains("a defect", StringComparison.Ordinal));
        Assert.StartsWith("Error", line, StringComparison.Ordinal);
        Assert.Contains($"at {typeof(RedisConnectionTests).FullName}", line, StringComparison.Ordinal);

        static Task<string?> Defective() => throw new InvalidCastException("a defect");
    }

    public static TheoryData<Exception> Failures =>
    [
        new RedisConnectionException(
            ConnectionFailureType.SocketFailure, CommandFlags.None, "gone", null, CommandStatus.Sent),
        new RedisTimeoutException(CommandFlags.None, "late", CommandStatus.Sent),
        new RedisCommandException("no server takes it"), new TimeoutException(), new IOException(),
        new SocketException(), new ObjectDisposedException("connection"), new TaskCanceledException(),
    ];

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public async Task A_failure_of_Redis_marks_it_unavailable(Exception failure)
    {
        _redis.MarkAvailable();
        Assert.Null(await _redis.TryAsync<string>(_ => throw failure, new TimeBudget(TimeSpan.FromSeconds(30))));
        Assert.False(_redis.IsAvailable);
    }

    [Fact]
    public async Task Requests_wait_for_a_check_of_Redis_after_the_process_was_paused()
    {
        // Requests wait for at most two seconds. A machine that stalls for as long proves nothing, so the attempt is
        // repeated.
        for (var tries = 1; !await WaitedAsync(); tries++) Assert.InRange(tries, 1, 5);
    }

    /// <returns>False if the machine stalled.</returns>
    private async Task<bool> WaitedAsync()
    {
        var cancellation = TestContext.Current.CancellationToken;
        _redis.MarkAvailable();
        _redis.NoteLook();
        if (!_redis.WaitAfterPauseAsync().IsCompletedSuccessfully) return false;
        // The watch does not look at Redis for this long if the process is paused.
        await Task.Delay(TimeSpan.FromSeconds(2.2), cancellation);

        var began = Stopwatch.GetTimestamp();
        var waiting = _redis.WaitAfterPauseAsync();
        await Task.Delay(100, cancellation);
        var hasWaited = !waiting.IsCompleted;
        _redis.MarkUnavailable(new TimeoutException("late replies"));
        _redis.NoteLook();
        await Task.Delay(100, cancellation);
        hasWaited &= !waiting.IsCompleted;
        if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(1.5)) return false;
        Assert.True(hasWaited);
        _redis.MarkAvailable();
        _redis.NoteLook();

        await waiting.WaitAsync(TimeSpan.FromSeconds(1), cancellation);
        Assert.True(_redis.WaitAfterPauseAsync().IsCompletedSuccessfully);
        return true;
    }

    [Fact]
    public async Task Requests_wait_only_briefly_for_an_unavailable_Redis_after_a_pause()
    {
        await Task.Delay(TimeSpan.FromSeconds(2.2), TestContext.Current.CancellationToken);
        await _redis.WaitAfterPauseAsync().WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }
}
