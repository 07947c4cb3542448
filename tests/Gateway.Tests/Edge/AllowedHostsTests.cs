using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>A gateway process that answers only for some hosts.</summary>
public sealed class AllowedHostsTests
{
    private const string Job = "v0/workflows/survey-1/jobs/finished-1";

    [Fact]
    public async Task Other_hosts_are_refused_except_for_health_and_on_the_management_port()
    {
        var management = ChildProcess.FreePort();
        await using var world = await World.WithoutGatewayAsync(clock: null,
            ("AllowedHosts", "jobs.example.com;*.example.org"), ("Management:Port", $"{management}"),
            ("PathBase", "/gateway"));
        // The start asks /health/live by address.
        await using var gateway = await GatewayProcess.StartAsync(world.Environment());
        using var client = gateway.Client();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(Job, "jobs.example.com"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(Job, "JOBS.example.com:8443"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(Job, "a.example.org"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("health/ready"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("gateway/health/ready"));
        foreach (var path in (string[])[Job, "healthy", "docs", "gateway/v0/health", "metrics"])
        {
            Assert.Equal((path, HttpStatusCode.BadRequest), (path, await StatusAsync(path)));
        }
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(Job, "jobs.example.com.evil.test"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(Job, "example.org"));
        using var refused = await client.GetAsync(new Uri(Job, UriKind.Relative), World.Cancellation);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        Assert.Contains("AllowedHosts", await refused.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
        using var operators = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{management}/") };
        Assert.Equal(HttpStatusCode.OK, await GatewayProcess.StatusOf(operators, "health/live"));
        Assert.Equal(HttpStatusCode.Unauthorized, await GatewayProcess.StatusOf(operators, "admin/drift"));
        Assert.Equal(8, await Shipped.MetricAsync(management, "gateway_refusals_total", "error_type=\"host\""));

        async Task<HttpStatusCode> StatusAsync(string path, string? host = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
            request.Headers.Host = host;
            using var answer = await client.SendAsync(request, World.Cancellation);
            return answer.StatusCode;
        }
    }
}
