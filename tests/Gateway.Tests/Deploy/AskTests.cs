using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Deploy;

/// <summary>A real Prometheus that scrapes three nodes answers the questions of an operator.</summary>
[Collection(nameof(Alone))]
public sealed class AskTests
{
    [Fact]
    public async Task Prometheus_answers_each_question_as_the_traffic_was()
    {
        foreach (var tool in (string[])["python3", "prometheus", "redis-server"])
        {
            Assert.SkipUnless(RedisServer.IsOnPath(tool), $"This test needs {tool}, which is not on the PATH.");
        }
        var (exit, output) = await ChildProcess.RunAsync("python3",
        [
            Path.Combine(Repository.Root, "deploy", "monitoring", "ask"), "--gateway", GatewayProcess.Executable,
            "--simulator", Path.Combine(AppContext.BaseDirectory, "Simulator.dll"),
        ]);

        Assert.True(exit == 0, output);
        Assert.EndsWith("Each answer is right.", output.TrimEnd(), StringComparison.Ordinal);
    }
}
