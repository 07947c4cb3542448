using System.Net;
using System.Net.Http.Headers;
using Gateway.Upstream;
using Microsoft.Extensions.Time.Testing;
using Polly;
using Polly.CircuitBreaker;

namespace Gateway.Tests.Upstream;

public sealed class OutboundChainTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;
    private int _attempts;

    public OutboundChainTests() => _pipeline = OutboundChain.BuildPipeline(_clock);

    [Theory]
    [InlineData(HttpStatusCode.BadGateway, 3)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 3)]
    [InlineData(HttpStatusCode.GatewayTimeout, 3)]
    [InlineData(HttpStatusCode.OK, 1)]
    [InlineData(HttpStatusCode.NotFound, 1)]
    [InlineData(HttpStatusCode.Forbidden, 1)]
    [InlineData(HttpStatusCode.RequestTimeout, 1)]
    [InlineData(HttpStatusCode.TooManyRequests, 1)]
    [InlineData(HttpStatusCode.InternalServerError, 1)]
    public async Task Only_the_errors_of_a_gateway_are_retried_and_twice_at_most(HttpStatusCode status, int attempts)
    {
        Assert.Equal(status, await SendAsync(() => new HttpResponseMessage(status)));
        Assert.Equal(attempts, _attempts);
    }

    [Theory]
    [InlineData(HttpStatusCode.BadGateway)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.TooManyRequests)]
    public async Task Who_says_when_to_come_back_is_not_asked_before(HttpStatusCode status)
    {
        await SendAsync(() => new HttpResponseMessage(status) { Headers = { RetryAfter = new RetryConditionHeaderValue(TimeSpan.Zero) } });
        Assert.Equal(1, _attempts);
    }

    [Fact]
    public async Task A_failed_connection_is_retried_and_twice_at_most()
    {
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(() => throw new HttpRequestException("refused")));
        Assert.Equal(3, _attempts);
    }

    [Fact]
    public async Task The_first_good_answer_ends_the_retries()
    {
        Assert.Equal(HttpStatusCode.OK, await SendAsync(() =>
            _attempts == 1 ? throw new HttpRequestException("refused") : new HttpResponseMessage(HttpStatusCode.OK)));
        Assert.Equal(2, _attempts);
    }

    [Fact]
    public async Task A_deadline_is_not_retried()
    {
        await Assert.ThrowsAsync<OperationCanceledException>(() => SendAsync(() => throw new OperationCanceledException()));
        Assert.Equal(1, _attempts);
    }

    [Theory]
    [InlineData(20, true)]
    [InlineData(19, false)]
    public async Task Enough_failures_open_the_circuit(int failures, bool opens)
    {
        for (var i = 0; i < failures; i++) await FailAsync();

        Assert.Equal(opens, await IsOpenAsync());
    }

    [Fact]
    public async Task An_open_circuit_lets_nothing_through()
    {
        for (var i = 0; i < 20; i++) await FailAsync();
        _attempts = 0;

        await Assert.ThrowsAsync<BrokenCircuitException>(SucceedAsync);

        Assert.Equal(0, _attempts);
    }

    [Fact]
    public async Task Deadlines_open_the_circuit()
    {
        for (var i = 0; i < 20; i++)
        {
            await Assert.ThrowsAsync<OperationCanceledException>(() => SendAsync(() => throw new OperationCanceledException()));
        }
        Assert.True(await IsOpenAsync());
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests)]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.Forbidden)]
    public async Task Refusals_do_not_open_the_circuit(HttpStatusCode status)
    {
        for (var i = 0; i < 100; i++) await SendAsync(() => new HttpResponseMessage(status));

        Assert.False(await IsOpenAsync());
    }

    [Fact]
    public async Task Fewer_failures_than_successes_do_not_open_the_circuit()
    {
        for (var i = 0; i < 100; i++)
        {
            await SucceedAsync();
            await SucceedAsync();
            await FailAsync();
        }
        Assert.False(await IsOpenAsync());
    }

    [Fact]
    public async Task Failures_of_long_ago_do_not_open_the_circuit()
    {
        for (var i = 0; i < 19; i++) await FailAsync();
        _clock.Advance(TimeSpan.FromSeconds(20));
        await FailAsync();

        Assert.False(await IsOpenAsync());
    }

    [Fact]
    public async Task The_circuit_closes_again_after_one_good_answer()
    {
        for (var i = 0; i < 20; i++) await FailAsync();
        _clock.Advance(OutboundChain.BreakDuration - TimeSpan.FromMilliseconds(1));
        Assert.True(await IsOpenAsync());
        _clock.Advance(TimeSpan.FromMilliseconds(2));

        await SucceedAsync();
        await FailAsync();

        Assert.False(await IsOpenAsync());
    }

    [Fact]
    public async Task The_circuit_stays_open_after_another_failure()
    {
        for (var i = 0; i < 20; i++) await FailAsync();
        _clock.Advance(OutboundChain.BreakDuration);
        await FailAsync();

        Assert.True(await IsOpenAsync());
    }

    private async Task SucceedAsync() => await SendAsync(() => new HttpResponseMessage(HttpStatusCode.OK));

    // This status is not retried, so no time passes.
    private async Task FailAsync() => await SendAsync(() => new HttpResponseMessage(HttpStatusCode.InternalServerError));

    private async Task<bool> IsOpenAsync()
    {
        try
        {
            await SucceedAsync();
            return false;
        }
        catch (BrokenCircuitException)
        {
            return true;
        }
    }

    private async Task<HttpStatusCode> SendAsync(Func<HttpResponseMessage> answer)
    {
        var call = _pipeline.ExecuteAsync(_ =>
        {
            _attempts++;
            return ValueTask.FromResult(answer());
        }, TestContext.Current.CancellationToken).AsTask();
        while (!call.IsCompleted)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        using var response = await call;
        return response.StatusCode;
    }
}
