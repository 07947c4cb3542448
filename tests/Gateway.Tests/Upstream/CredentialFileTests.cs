using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Upstream;

/// <summary>Tests a credential file on a file system that no longer responds.</summary>
[Collection(nameof(Alone))]
public sealed class CredentialFileTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(5);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-credential-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_credential_file_that_blocks_its_reader_does_not_block_requests()
    {
        var file = Path.Combine(_folder.FullName, "credential");
        await File.WriteAllTextAsync(file, Canary.Credential, World.Cancellation);
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("Upstream:Accounts:default:Credential", ""), ("Upstream:Accounts:default:CredentialFile", file));
        await using var gateway = await GatewayProcess.StartAsync(world.Environment());
        using (var first = gateway.Client()) Assert.Equal(
            HttpStatusCode.OK, await GatewayProcess.StatusOf(first, "v0/workflows/survey-1/jobs/finished-0"));

        await ReplaceByPipeAsync(file);
        // Readiness and a cache miss need the credential; liveness and a hit do not.
        string[] paths = ["health/ready", "v0/workflows/survey-1/jobs/finished-{0}", "health/live",
            "v0/workflows/survey-1/jobs/finished-0"];
        var asking = paths.SelectMany(
            path => Enumerable.Range(1, 8).Select(n => AskAsync(string.Format(null, path, n))));
        Assert.Empty((await Task.WhenAll(asking)).OfType<string>());
        await gateway.UntilPrintedAsync("does not answer");

        async Task<string?> AskAsync(string path)
        {
            // A separate connection for each request spreads the requests over all I/O threads.
            using var client = gateway.Client();
            client.Timeout = Bound;
            try
            {
                var status = await GatewayProcess.StatusOf(client, path);
                return status == HttpStatusCode.OK ? null : $"{path}: {status}";
            }
            catch (OperationCanceledException)
            {
                return $"{path}: no answer within {Bound}";
            }
        }
    }

    // Nothing writes to the pipe, so that opening it for reading blocks.
    private static async Task ReplaceByPipeAsync(string file)
    {
        var (exit, output) = await ChildProcess.RunAsync("mkfifo", [file + ".pipe"]);
        Assert.True(exit == 0, output);
        File.Move(file + ".pipe", file, overwrite: true);
    }
}
