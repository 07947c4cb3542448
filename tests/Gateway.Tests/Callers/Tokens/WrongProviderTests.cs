using System.Net;
using System.Text.Json.Nodes;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>
/// An authority whose metadata cannot be used is an error of the configuration, which waiting does not correct. An
/// authority that does not answer may answer later.
/// </summary>
public sealed class WrongProviderTests
{
    private const string Issuer = "https://provider.invalid/tenant", Wrong = "identity-misconfigured",
        Away = "identity-unavailable";

    [Theory]
    [InlineData(404, "no such realm\nforged", Wrong, "its metadata or keys are answered with 404")]
    [InlineData(403, "", Wrong, "its metadata or keys are answered with 403")]
    [InlineData(200, "<html>Log in</html>", Wrong, "its metadata or keys are not the JSON of a provider")]
    [InlineData(200, "{}", Wrong, "it publishes no issuer; the authority must be its issuer")]
    [InlineData(200, """{ "issuer": "https://other.invalid" }""", Wrong,
        "it publishes the issuer https://other.invalid; the authority must be its issuer")]
    [InlineData(200, """{ "issuer": "https://sts.invalid/{tenantid}/" }""", Wrong,
        "that is the metadata for all tenants; name the tenant in the authority")]
    [InlineData(503, "", Away, "")]
    [InlineData(429, "", Away, "")]
    [InlineData(408, "", Away, "")]
    public async Task Metadata_that_cannot_be_used_is_a_misconfiguration_and_the_log_names_the_options(
        int status, string body, string type, string reason)
    {
        await using var provider = await AnsweringAsync(status, body);
        var metadata = new Uri(new Uri(provider.Urls.Single()), "metadata").AbsoluteUri;
        await using var login = await IdentityProvider.StartedAsync();
        await using var world = await UserWorld.StartAsync(login,
            ("Authentication:Jwt:Authority", Issuer), ("Authentication:Jwt:MetadataAddress", metadata),
            ("Authentication:Oidc:Authority", Issuer), ("Authentication:Oidc:MetadataAddress", metadata));

        var token = login.AccessToken(change: jwt => jwt with { Issuer = Issuer });
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var byToken = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        using var byLogin = await world.Gateway.Client().GetAsync(
            new Uri("bff/login", UriKind.Relative), World.Cancellation);
        using var byLogout = await world.Gateway.Client().PostAsync(
            new Uri("bff/backchannel-logout", UriKind.Relative),
            new FormUrlEncodedContent([new("logout_token", token)]), World.Cancellation);

        foreach (var answer in (HttpResponseMessage[])[byToken, byLogin, byLogout])
        {
            Assert.Equal($"/problems/{type}", await BoundTests.ProblemTypeAsync(answer));
            Assert.Equal(type == Away ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.InternalServerError,
                answer.StatusCode);
            Assert.Equal(type == Away, answer.Headers.RetryAfter is not null);
        }
        var lines = world.Gateway.Log.All.Where(line => line.Contains(Issuer, StringComparison.Ordinal)).ToList();
        Assert.All(lines, line => Assert.DoesNotContain("forged", line, StringComparison.Ordinal));
        foreach (var section in (string[])["Authentication:Jwt", "Authentication:Oidc"])
        {
            var options = $"Check {section}:Authority and {section}:MetadataAddress";
            Assert.Equal(type == Wrong, lines.Exists(line => line.StartsWith("Error ", StringComparison.Ordinal)
                && line.Contains(reason, StringComparison.Ordinal)
                && line.Contains(options, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task A_provider_that_is_corrected_is_used_without_a_restart()
    {
        var published = new Answer { Status = 404 };
        await using var issuer = await TokenIssuer.StartAsync(Issuer);
        await using var provider = await AnsweringAsync(published);
        await using var world = await World.StopClockAsync([.. issuer.Settings("api"),
            ("Authentication:Jwt:MetadataAddress", new Uri(new Uri(provider.Urls.Single()), "metadata").AbsoluteUri),
            ("Teams:mapping:Claims:sub:0", "ann")]);
        var token = issuer.Sign(new JsonObject { ["iss"] = Issuer, ["aud"] = "api", ["sub"] = "ann" });
        Assert.Equal(500, await StatusAsync());
        using (var client = new HttpClient())
        {
            published.Body = await client.GetStringAsync(new Uri(issuer.MetadataAddress), World.Cancellation);
        }
        published.Status = 503;
        world.Clock!.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(503, await StatusAsync());
        published.Status = 200;
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, await StatusAsync());
        // Known keys stay in use.
        published.Status = 404;
        world.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(200, await StatusAsync());

        async Task<int> StatusAsync()
        {
            using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
            using var answer = await client.GetAsync(
                new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
            return (int)answer.StatusCode;
        }
    }

    private static Task<WebApplication> AnsweringAsync(int status, string body) =>
        AnsweringAsync(new Answer { Status = status, Body = body });

    private static async Task<WebApplication> AnsweringAsync(Answer answer)
    {
        var app = Loopback.Server(port: ChildProcess.FreePort()).Build();
        app.Run(http =>
        {
            http.Response.StatusCode = answer.Status;
            return http.Response.WriteAsync(answer.Body);
        });
        await app.StartAsync();
        return app;
    }

    private sealed class Answer
    {
        public int Status { get; set; }

        public string Body { get; set; } = "";
    }
}
