using Gateway.Upstream;
using Microsoft.Extensions.Time.Testing;
using Polly;

namespace Gateway.Tests.Upstream;

[Trait("Kind", "Unit")]
public sealed class RetryTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ResiliencePipeline<UpstreamAnswer> _retry;
    private int _attempts;

    public RetryTests() => _retry = Retry.Build(_clock);

    [Theory]
    [InlineData(502, 3)]
    [InlineData(503, 3)]
    [InlineData(504, 3)]
    [InlineData(200, 1)]
    [InlineData(404, 1)]
    [InlineData(403, 1)]
    [InlineData(408, 1)]
    [InlineData(429, 1)]
    [InlineData(500, 1)]
    public async Task Only_502_503_and_504_are_retried_and_at_most_twice(int status, int attempts)
    {
        Assert.Equal(status, (await CallAsync(() => new UpstreamAnswer(status, [], null, UpstreamFault.None))).Status);
        Assert.Equal(attempts, _attempts);
    }

    [Theory]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(429)]
    public async Task A_response_with_Retry_After_is_not_retried(int status)
    {
        await CallAsync(() => new UpstreamAnswer(status, [], TimeSpan.Zero, UpstreamFault.None));
        Assert.Equal(1, _attempts);
    }

    [Theory]
    [InlineData(nameof(UpstreamFault.Unreachable), 3)]
    [InlineData(nameof(UpstreamFault.NameNotResolved), 3)]
    [InlineData(nameof(UpstreamFault.TlsTimedOut), 3)]
    [InlineData(nameof(UpstreamFault.ProtocolError), 3)]
    [InlineData(nameof(UpstreamFault.TlsFailed), 1)]
    [InlineData(nameof(UpstreamFault.HeaderTooLarge), 1)]
    [InlineData(nameof(UpstreamFault.JobRefused), 1)]
    [InlineData(nameof(UpstreamFault.TimedOut), 1)]
    [InlineData(nameof(UpstreamFault.CutShort), 1)]
    [InlineData(nameof(UpstreamFault.CircuitOpen), 1)]
    [InlineData(nameof(UpstreamFault.OverBudget), 1)]
    [InlineData(nameof(UpstreamFault.Paused), 1)]
    [InlineData(nameof(UpstreamFault.CredentialDead), 1)]
    public async Task Only_connection_faults_are_retried(string fault, int attempts)
    {
        await CallAsync(() => UpstreamAnswer.Failed(Enum.Parse<UpstreamFault>(fault)));
        Assert.Equal(attempts, _attempts);
    }

    [Fact]
    public async Task The_first_successful_response_ends_the_retries()
    {
        var answer = await CallAsync(() => _attempts == 1
            ? UpstreamAnswer.Failed(UpstreamFault.Unreachable) : new UpstreamAnswer(200, [], null, UpstreamFault.None));
        Assert.Equal(200, answer.Status);
        Assert.Equal(2, _attempts);
    }

    private async Task<UpstreamAnswer> CallAsync(Func<UpstreamAnswer> answer)
    {
        var call = _retry.ExecuteAsync(_ =>
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
        return await call;
    }
}
