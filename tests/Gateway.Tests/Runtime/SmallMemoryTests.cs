using System.Diagnostics;
using System.Globalization;
using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Runtime;

/// <summary>A gateway with the default configuration, in a container of 256 MiB.</summary>
public sealed class SmallMemoryTests
{
    private const int Rate = 900, MostUnderWay = 300;

    [Fact]
    public async Task A_container_of_256_MiB_serves_more_jobs_than_fit_into_it()
    {
        // 50000 for the full run. A job has 24 KiB.
        var jobs = int.Parse(
            Environment.GetEnvironmentVariable("GATEWAY_SMALL_MEMORY_JOBS") ?? "12000", CultureInfo.InvariantCulture);
        await using var world = await World.StartAsync();
        using var container = MemoryContainer.Create(256 * 1024 * 1024);
        await using var node = await GatewayProcess.StartAsync(world.Environment(), container);
        using var client = node.Client();
        using var room = new SemaphoreSlim(MostUnderWay);
        var failed = new List<string>();
        var asked = new List<Task>();
        var started = Stopwatch.GetTimestamp();

        for (var i = 0; i < jobs; i++)
        {
            var due = TimeSpan.FromSeconds((double)i / Rate) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.Zero) await Task.Delay(due, World.Cancellation);
            await room.WaitAsync(World.Cancellation);
            asked.Add(AskAsync(i));
        }
        await Task.WhenAll(asked);

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{jobs / Stopwatch.GetElapsedTime(started).TotalSeconds:0} jobs/s, {container}, {Anonymous() >> 20} MiB");
        Assert.Empty(failed);
        Assert.InRange(Anonymous(), 1, 256L << 20);

        async Task AskAsync(int i)
        {
            try
            {
                var path = new Uri($"v0/workflows/survey-1/jobs/finished-{i}.size-24", UriKind.Relative);
                using var answer = await client.GetAsync(path, World.Cancellation);
                if (answer.StatusCode != HttpStatusCode.OK) Fail(i, $"{(int)answer.StatusCode}");
            }
            catch (HttpRequestException e)
            {
                Fail(i, e.Message);
            }
            room.Release();
        }

        void Fail(int i, string why)
        {
            lock (failed) failed.Add($"{i}: {why}");
        }

        // The memory that the process has written, in bytes. Mapped files do not count.
        long Anonymous() => File.ReadLines($"/proc/{node.Id}/status")
            .Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal))
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])
            .Sum(kilobytes => long.Parse(kilobytes, CultureInfo.InvariantCulture) * 1024);
    }
}
