using System.Net;

namespace Gateway.Tests.Infrastructure;

public sealed class CertificateTests
{
    [Fact]
    public async Task A_gateway_process_uses_the_test_certificate()
    {
        using var certificate = new Certificate();
        await using var world = await World.WithoutGatewayAsync(clock: null, certificate.Settings);
        var address = new Uri($"https://localhost:{ChildProcess.FreePort()}/");
        var environment = world.Environment();
        environment["ASPNETCORE_URLS"] = address.ToString();

        await using var gateway = new ChildProcess("dotnet", [GatewayProcess.Executable], environment);

        using var client = new HttpClient(certificate.Handler()) { BaseAddress = address };
        await gateway.UntilAsync(async () => await GatewayProcess.StatusOf(client, "health/live") == HttpStatusCode.OK);
    }
}
