using System.Threading.Channels;
using Gateway.Caching;
using Gateway.Contract;
using Gateway.Jobs;
using Microsoft.Extensions.Options;

namespace Gateway.Drift;

/// <summary>
/// Checks a sample of the upstream's jobs in the background, one at a time. A fill hands its job over and does not
/// wait. A job that comes too fast or is too large is not checked.
/// </summary>
internal sealed partial class DriftWatch(
    DriftBook book, IOptionsMonitor<ContractOptions> contract, IOptionsMonitor<JobsOptions> jobs, DriftMetrics metrics,
    TimeProvider clock, ILogger<DriftWatch> logger) : BackgroundService, IJobObserver
{
    private const int MaxBytes = 1024 * 1024, MaxWaiting = 16;

    private readonly Channel<(JobAddress Address, byte[] Body)> _offered =
        Channel.CreateBounded<(JobAddress, byte[])>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Sampling _sampling = new(clock);

    /// <summary>Offers a job that the upstream just sent. Never waits.</summary>
    public void Offer(JobAddress address, byte[] body)
    {
        var perSecond = contract.CurrentValue.DriftChecksPerSecond;
        if (perSecond == 0) return;
        if (body.Length > MaxBytes) book.Count(CheckOutcome.TooLarge);
        else if (!_sampling.Admit(perSecond)) book.Count(CheckOutcome.SampledOut);
        else if (!_offered.Writer.TryWrite((address, body))) book.Count(CheckOutcome.Busy);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var (address, body) in _offered.Reader.ReadAllAsync(stoppingToken)) Try(address, body);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops. It would report the exception as a failure if it could not start.
        }
    }

    private void Try(JobAddress address, byte[] body)
    {
        try
        {
            Check(address, body);
        }
        catch (Exception e)
        {
            // A failed check must not stop the watch. Do not log the message: it may hold parts of the body.
            if (book.Count(CheckOutcome.Failed) == 1) Log.Failed(logger, e.GetType().Name, e.StackTrace);
        }
    }

    private void Check(JobAddress address, byte[] body)
    {
        var findings = DriftCheck.Run(body, ExpectedShape.OfJob, jobs.CurrentValue.IsKnown);
        var now = clock.GetUtcNow();
        foreach (var finding in findings)
        {
            var count = book.Note(finding, address, now);
            if (count == 1) Log.Found(logger, finding.Kind, finding.Pointer);
            if (count > 0) metrics.Drifted(finding.Pointer, finding.Kind);
        }
        book.Count(CheckOutcome.Checked);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The upstream's jobs differ from the contract: {Kind} at {Pointer}")]
        public static partial void Found(ILogger logger, string kind, string pointer);

        [LoggerMessage(LogLevel.Error,
            "A drift check failed; further failures are only counted: {Problem} {Stack}")]
        public static partial void Failed(ILogger logger, string problem, string? stack);
    }
}
