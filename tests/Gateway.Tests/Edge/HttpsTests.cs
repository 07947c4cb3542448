using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>A gateway that terminates TLS itself and listens on HTTP and HTTPS.</summary>
public sealed class HttpsTests
{
    [Theory]
    [InlineData("true", 307)]
    [InlineData("false", 200)]
    public async Task Http_redirects_to_https_except_for_probes_and_https_sends_HSTS(string redirect, int status)
    {
        using var certificate = new Certificate();
        await using var world = await World.WithoutGatewayAsync(
            clock: null, ("Https:Redirect", redirect), ("Https:HstsMaxAge", "10.00:00:00"));
        int http = ChildProcess.FreePort(), https = ChildProcess.FreePort();
        var environment = world.Environment();
        environment["Kestrel__Endpoints__Http__Url"] = $"http://127.0.0.1:{http}";
        environment["Kestrel__Endpoints__Https__Url"] = $"https://localhost:{https}";
        await using var gateway = await GatewayProcess.StartAsync(environment, certificate, https);
        using var client = new HttpClient(certificate.Handler());
        client.DefaultRequestHeaders.Add("X-Api-Key", World.MappingKey);

        using var plain = await GetAsync(http, "http", "v0/workflows/survey-1/jobs/finished-1");
        using var probe = await GetAsync(http, "http", "health/live");
        using var secure = await GetAsync(https, "https", "v0/workflows/survey-1/jobs/finished-1", "gateway.example");

        Assert.Equal(status, (int)plain.StatusCode);
        if (status == 307)
            Assert.Equal($"https://127.0.0.1:{https}/v0/workflows/survey-1/jobs/finished-1",
                plain.Headers.Location?.AbsoluteUri);
        Assert.False(plain.Headers.Contains("Strict-Transport-Security"));
        Assert.Equal(HttpStatusCode.OK, probe.StatusCode);
        Assert.Equal(HttpStatusCode.OK, secure.StatusCode);
        Assert.Equal("max-age=864000", Assert.Single(secure.Headers.GetValues("Strict-Transport-Security")));

        async Task<HttpResponseMessage> GetAsync(int port, string scheme, string path, string? host = null)
        {
            using var request = new HttpRequestMessage(
                HttpMethod.Get, $"{scheme}://{(scheme == "http" ? "127.0.0.1" : "localhost")}:{port}/{path}");
            request.Headers.Host = host;
            return await client.SendAsync(request, World.Cancellation);
        }
    }
}
