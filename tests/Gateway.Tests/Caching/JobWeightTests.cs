using System.Diagnostics.Metrics;
using System.Text;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Caching;

[Collection(nameof(Alone))]
public sealed class JobWeightTests
{
    private const int Jobs = 20_000;

    [Theory]
    [InlineData(1, 300)]
    [InlineData(1, 6000)]
    [InlineData(2, 1000)]
    [InlineData(3, 2000)]
    public async Task What_a_job_is_said_to_weigh_is_what_the_heap_grows_by(int codings, int bytes)
    {
        // What other tests have left may go in the midst of it; then it is measured again.
        var (real, said) = await WeighAsync(codings, bytes);
        for (var again = 0; again < 4 && Math.Abs(said - real) > 0.1 * real; again++) (real, said) = await WeighAsync(codings, bytes);
        Assert.InRange(said, 0.9 * real, 1.1 * real);
    }

    private static async Task<(long Real, long Said)> WeighAsync(int codings, int bytes)
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var memory = new JobMemory(
            Fixed.Of(new JobsOptions { MemoryBytes = 1_000_000_000 }), new PurgeMarks(), new CacheMetrics(services.GetRequiredService<IMeterFactory>()), new SteadyClock(TimeProvider.System));
        await FillAsync(memory, 0, 100, codings, bytes);
        var (before, counted) = (Heap(), memory.Bytes);

        await FillAsync(memory, 100, Jobs, codings, bytes);

        return ((Heap() - before) / Jobs - bytes, (memory.Bytes - counted) / Jobs - bytes);
    }

    private static byte[] Body(int bytes) =>
        Encoding.ASCII.GetBytes("""{"created_at":"2026-01-31T10:00:00Z","started_at":"2026-01-31T10:00:00Z","finished_at":"2026-01-31T10:20:00Z"}""".PadRight(bytes));

    private static long Heap()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    // As from requests: each has names of its own.
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
            // Whoever takes note of a finished job's time has read it.
            Assert.NotNull(snapshot.Times.Took);
            var key = PurgeScopeTests.Key("default", $"workflow-{i:00000000}", $"job-{i:00000000000000000000000000000000}");
            await memory.KeepAsync(key, snapshot);
            // As after hits, of clients of several kinds.
            Assert.Equal("0", HitFields.Of(snapshot, now).Age);
            if (codings > 1) await snapshot.EncodeAsync([ContentCoding.Brotli]);
            if (codings > 2) await snapshot.EncodeAsync([ContentCoding.Gzip]);
            if (codings > 1) await memory.UpdateSizeAsync(key, snapshot);
        }
    }
}
