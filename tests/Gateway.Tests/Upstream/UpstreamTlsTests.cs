using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.Http;
using Simulator;

namespace Gateway.Tests.Upstream;

/// <summary>An upstream with certificates of a private authority on both sides.</summary>
public sealed class UpstreamTlsTests : IDisposable
{
    private readonly PrivateAuthority _authority = new(), _other = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gateway-tls-");

    public void Dispose()
    {
        _authority.Dispose();
        _other.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("right", "right", null)]
    [InlineData("intermediate", "right", null)]
    [InlineData("right", "intermediate", null)]
    [InlineData("none", "right", "If a private authority signed the server's certificate, set "
        + "Upstream:CertificateAuthority to its file.")]
    [InlineData("wrong", "right", "the file of Upstream:CertificateAuthority does not hold the authority")]
    [InlineData("right", "none", "If the server asks for a certificate, set Upstream:ClientCertificate.")]
    [InlineData("right", "wrong", "The server may not accept the certificate of Upstream:ClientCertificate.")]
    [InlineData("right", "expired", "The certificate of Upstream:ClientCertificate has expired: replace its file.")]
    public async Task A_job_and_a_route_are_answered_or_the_log_names_the_option_to_change(
        string trusted, string shown, string? advice)
    {
        using var intermediate = new PrivateAuthority(_authority);
        var serving = (trusted == "intermediate" ? intermediate : _authority).IssueForServer();
        await using var upstream = await SimulatedUpstream.StartAsync(
            credentials: [Canary.Credential], https: serving, clients: _authority.Value,
            cancellation: World.Cancellation);
        var client = shown switch
        {
            "right" => _authority.Issue("client"),
            "intermediate" => intermediate.Issue("client"),
            "wrong" => _other.Issue("client"),
            "expired" => _authority.Issue("client", validDays: -1),
            _ => ("", ""),
        };
        // The gateway sends the intermediate certificates that follow the first one.
        if (shown == "intermediate")
        {
            await File.AppendAllTextAsync(client.Item1,
                "\n" + await File.ReadAllTextAsync(intermediate.Path, World.Cancellation), World.Cancellation);
        }
        var authority = trusted switch
        {
            "right" => _authority.Path,
            "intermediate" => intermediate.Path,
            "wrong" => _other.Path,
            _ => "",
        };
        await using var world = await World.StartAsync(("Upstream:BaseAddress", upstream.Address.ToString()),
            ("Upstream:CertificateAuthority", authority), ("Upstream:ClientCertificate", client.Item1),
            ("Upstream:ClientKey", client.Item2), ("Routes:other:Path", "/v0/other"),
            ("Teams:mapping:Routes:0", "other"));
        upstream.Others["/v0/other"] = http => http.Response.WriteAsync("answer");

        using var job = await world.GetAsync("finished-1");
        using var caller = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var route = await caller.GetAsync(new Uri("v0/other", UriKind.Relative), World.Cancellation);

        if (advice is null)
        {
            Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (job.StatusCode, route.StatusCode));
            return;
        }
        foreach (var answer in (HttpResponseMessage[])[job, route])
        {
            Assert.Equal((HttpStatusCode.BadGateway, "/problems/upstream-failed"),
                (answer.StatusCode, await BoundTests.ProblemTypeAsync(answer)));
            // The simulated upstream closes the connection if it refuses the certificate of the gateway.
            if (shown == "right") Assert.Contains("(upstream-tls-failed)",
                await answer.Content.ReadAsStringAsync(World.Cancellation), StringComparison.Ordinal);
        }
        Assert.Contains(world.Gateway.Log.All, line =>
            line.StartsWith("Warning Gateway.Upstream.OutboundChain: TLS with the upstream failed: ",
                StringComparison.Ordinal) && line.Contains(advice, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Replaced_files_are_used_for_the_next_connection_and_wrong_ones_are_not()
    {
        await using var upstream = await SimulatedUpstream.StartAsync(
            credentials: [Canary.Credential], https: _authority.IssueForServer(), clients: _authority.Value,
            cancellation: World.Cancellation);
        // As on a volume of Kubernetes: links by way of ..data, which is replaced as a whole.
        await SwapAsync(_authority.Issue("old", validDays: -1));
        foreach (var name in (string[])["tls.crt", "tls.key"])
        {
            File.CreateSymbolicLink(Path.Combine(_folder.FullName, name), Path.Combine("..data", name));
        }
        await using var world = await World.StartAsync(("Upstream:BaseAddress", upstream.Address.ToString()),
            ("Upstream:CertificateAuthority", _authority.Path),
            ("Upstream:ClientCertificate", Path.Combine(_folder.FullName, "tls.crt")),
            ("Upstream:ClientKey", Path.Combine(_folder.FullName, "tls.key")));
        var answered = 0;
        Assert.Equal(HttpStatusCode.BadGateway, await StatusAsync());

        await SwapAsync(_authority.Issue("new"));
        await UntilAsync(async () => await StatusAsync() == HttpStatusCode.OK);

        // The key belongs to another certificate.
        await SwapAsync((_authority.Issue("newer").Certificate, _other.Issue("other").Key));
        await UntilAsync(async () => await StatusAsync() == HttpStatusCode.OK
            && world.Gateway.Log.All.Any(line => line.StartsWith("Warning Gateway.Upstream.OutboundChain: The "
                + "certificates that were read last stay in use: Upstream:ClientKey: ", StringComparison.Ordinal)));

        Task<HttpStatusCode> StatusAsync() => StatusOfAsync($"finished-{++answered}");

        async Task<HttpStatusCode> StatusOfAsync(string job)
        {
            using var answer = await world.GetAsync(job);
            return answer.StatusCode;
        }
    }

    private async Task SwapAsync((string Certificate, string Key) files)
    {
        var version = _folder.CreateSubdirectory($"..{Guid.NewGuid():N}");
        File.Copy(files.Certificate, Path.Combine(version.FullName, "tls.crt"));
        File.Copy(files.Key, Path.Combine(version.FullName, "tls.key"));
        var link = Path.Combine(_folder.FullName, "..data");
        Directory.CreateSymbolicLink(link + "_tmp", version.Name);
        // The framework moves no link to a directory.
        await ChildProcess.RunAsync("mv", ["-T", link + "_tmp", link]);
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(World.Cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (!await holds()) await Task.Delay(50, limit.Token);
    }
}
