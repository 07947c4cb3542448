using Polly;
using Polly.Retry;

namespace Gateway.Upstream;

/// <summary>
/// Repeats a call if the connection failed or the answer is 502, 503 or 504 without <c>Retry-After</c>. The caller's
/// deadline covers all attempts, their bodies and the pauses between them.
/// </summary>
internal static class Retry
{
    public static ResiliencePipeline<UpstreamAnswer> Build(TimeProvider clock) =>
        new ResiliencePipelineBuilder<UpstreamAnswer> { TimeProvider = clock }
            .AddRetry(new RetryStrategyOptions<UpstreamAnswer>
            {
                MaxRetryAttempts = 2,
                Delay = TimeSpan.FromMilliseconds(100),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = static attempt => ValueTask.FromResult(IsFor(attempt.Outcome.Result)),
            })
            .Build();

    /// <summary>Whether an answer is worth another attempt.</summary>
    public static bool IsFor(in UpstreamAnswer answer) => answer.Fault switch
    {
        UpstreamFault.Unreachable or UpstreamFault.NameNotResolved or UpstreamFault.ProxyFailed => true,
        UpstreamFault.TlsTimedOut or UpstreamFault.ProtocolError => true,
        UpstreamFault.None => answer is { Status: 502 or 503 or 504, RetryAfter: null },
        _ => false,
    };
}
