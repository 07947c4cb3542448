using System.Diagnostics.Metrics;
using System.Text;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Caching;

[Collection(nameof(Alone))]
[Trait("Kind", "Unit")]
public sealed class JobWeightTests
{
    private const int Jobs = 20_000;

    [Theory]
    [InlineData(1, 300)]
    [InlineData(1, 6000)]
    [InlineData(2, 1000)]
    [InlineData(3, 2000)]
    public async Task The_estimated_size_of_a_job_is_the_growth_of_the_heap(int codings, int bytes)
    {
        // Garbage of other tests may be collected during the measurement, which is then repeated.
        var (real, estimated) = await WeighAsync(codings, bytes);
        for (var again = 0; again < 4 && Math.Abs(estimated - real) > 0.1 * real; again++)
            (real, estimated) = await WeighAsync(codings, bytes);
        Assert.InRange(estimated, 0.9 * real, 1.1 * real);
    }

    private static async Task<(long Real, long Estimated)> WeighAsync(int codings, int bytes)
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var memory = new JobMemory(
            Fixed.Of(new JobsOptions { MemoryBytes = 1_000_000_000 }), new PurgeMarks(),
            new CacheMetrics(services.GetRequiredService<IMeterFactory>()), new SteadyClock(TimeProvider.System));
        await FillAsync(memory, 0, 100, codings, bytes);
        var (before, counted) = (Heap(), memory.Bytes);

        await FillAsync(memory, 100, Jobs, codings, bytes);

        return ((Heap() - before) / Jobs - bytes, (memory.Bytes - counted) / Jobs - bytes);
    }

    private static byte[] Body(int bytes) =>
        Encoding.ASCII.GetBytes(
            """
            {"created_at":"2026-01-31T10:00:00Z","started_at":"2026-01-31T10:00:00Z",
              "finished_at":"2026-01-31T10:20:00Z"}
            """.PadRight(bytes));

    private static long Heap()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    // As from requests: each job has its own strings.
    private static async Task FillAsync(JobMemory memory, int from, int count, int codings, int bytes)
    {
        for (var i = from; i < from + count; i++)
        {
            var now = DateTimeOffset.UtcNow;
            var snapshot = new JobSnapshot
            {
                Order = i,
                Kind = VerdictKind.Finished,
                FetchedAt = now,
                FreshUntil = now.AddDays(1),
                Identity = new Representation(ContentCoding.Identity, Body(bytes)),
            };
            // Pacing has read the times of each finished job.
            Assert.NotNull(snapshot.Times.Took);
            var key = PurgeScopeTests.Key(
                "default", $"workflow-{i:00000000}", $"job-{i:00000000000000000000000000000000}");
            await memory.KeepAsync(key, snapshot);
            // As after hits by clients that accept different codings.
            Assert.Equal("0", HitFields.Of(snapshot, now).Age);
            if (codings > 1) await snapshot.EncodeAsync([ContentCoding.Brotli]);
            if (codings > 2) await snapshot.EncodeAsync([ContentCoding.Gzip]);
            if (codings > 1) await memory.UpdateSizeAsync(key, snapshot);
        }
    }
}
