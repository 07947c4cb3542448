using System.Net;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Edge;

/// <summary>Cross-origin requests, as a browser sends them.</summary>
public sealed class CorsTests
{
    private const string App = "https://app.example.com", Foreign = "https://evil.example";

    private static readonly (string, string?)[] Allowed =
        [("Cors:AllowedOrigins:0", App), ("Cors:AllowedOrigins:1", "http://localhost:3000")];

    [Theory]
    [InlineData("GET", "x-csrf")]
    [InlineData("GET", "authorization,x-api-key,if-none-match")]
    [InlineData("POST", "x-csrf")]
    public async Task An_allowed_origin_may_send_the_methods_and_headers_it_needs(string method, string headers)
    {
        await using var world = await World.StartAsync(Allowed);
        using var answer = await PreflightAsync(world, App, method, headers);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(App, Header(answer, "Access-Control-Allow-Origin"));
        Assert.Equal("true", Header(answer, "Access-Control-Allow-Credentials"));
        Assert.Empty(headers.Split(',')
            .Except(Header(answer, "Access-Control-Allow-Headers")!.ToLowerInvariant().Split(',')));
        Assert.Equal("7200", Header(answer, "Access-Control-Max-Age"));
    }

    [Theory]
    [InlineData(Foreign)]
    [InlineData("https://app.example.com.evil.example")]
    [InlineData("http://app.example.com")]
    [InlineData("https://app.example.com:8443")]
    [InlineData("null")]
    public async Task A_foreign_origin_gets_no_CORS_headers(string origin)
    {
        await using var world = await World.StartAsync(Allowed);
        using var preflight = await PreflightAsync(world, origin, "GET", "x-csrf");
        using var answer = await world.GetAsync("finished-1", headers: ("Origin", origin));
        foreach (var headers in (HttpResponseMessage[])[preflight, answer])
        {
            Assert.DoesNotContain(headers.Headers, header =>
                header.Key.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task No_origin_is_allowed_by_default()
    {
        await using var world = await World.StartAsync();
        using var preflight = await PreflightAsync(world, App, "GET", "x-csrf");
        Assert.Null(Header(preflight, "Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("finished-1", World.MappingKey, 200)]
    [InlineData("finished-1", "wrong", 401)]
    [InlineData("no-such-job", World.MappingKey, 404)]
    public async Task An_allowed_origin_may_read_every_answer_and_its_headers(string job, string key, int status)
    {
        await using var world = await World.StartAsync(Allowed);
        using var answer = await world.GetAsync(job, key: key, headers: ("Origin", App));
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(App, Header(answer, "Access-Control-Allow-Origin"));
        Assert.Equal("true", Header(answer, "Access-Control-Allow-Credentials"));
        Assert.Contains("ETag", Header(answer, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
        Assert.StartsWith("Authorization, X-Api-Key, Cookie, X-CSRF, Origin, Accept-Encoding", Header(answer, "Vary"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_allowed_origin_may_send_and_read_only_listed_headers()
    {
        await using var world = await World.StartAsync(Allowed);
        using var preflight = await PreflightAsync(world, App, "DELETE", "x-other");
        using var answer = await world.GetAsync("finished-1", headers: ("Origin", App));
        Assert.Equal("GET,HEAD,POST", Header(preflight, "Access-Control-Allow-Methods"));
        Assert.StartsWith(
            "Authorization,X-Api-Key,X-CSRF,If-None-Match,If-Modified-Since,Cache-Control,Pragma,Prefer,Last-Event-ID,"
            + "Range,If-Range,Content-Type,traceparent,tracestate,baggage,",
            Header(preflight, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
        Assert.DoesNotContain("x-other", Header(preflight, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
        Assert.Equal(
            "ETag,Cache-Status,Age,RateLimit,RateLimit-Policy,Retry-After,WWW-Authenticate,Preference-Applied,Date",
            Header(answer, "Access-Control-Expose-Headers"));
    }

    [Theory]
    [InlineData("baggage,sentry-trace,traceparent")]
    [InlineData("x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id")]
    [InlineData("b3,x-b3-parentspanid,x-b3-sampled,x-b3-spanid,x-b3-traceid")]
    [InlineData("newrelic,traceparent,tracestate")]
    [InlineData("elastic-apm-traceparent,request-context,request-id")]
    [InlineData("uber-trace-id,x-amzn-trace-id,x-cloud-trace-context")]
    [InlineData("x-dtc,x-dtpc")]
    [InlineData("x-highlight-request,x-posthog-distinct-id,x-posthog-session-id,x-posthog-window-id")]
    [InlineData("content-type,pragma,x-correlation-id,x-request-id,x-requested-with")]
    public async Task An_allowed_origin_may_send_the_headers_of_common_tracing_tools_and_scripts(string headers)
    {
        await using var world = await World.StartAsync(Allowed);
        using var answer = await PreflightAsync(world, App, "GET", headers);

        Assert.Empty(headers.Split(',')
            .Except(Header(answer, "Access-Control-Allow-Headers")!.ToLowerInvariant().Split(',')));
    }

    [Fact]
    public async Task Configured_headers_replace_the_default_ones_and_need_no_restart()
    {
        await using var world = await World.StartAsync([.. Allowed, ("Cors:AllowedHeaders:0", "X-Our-Trace")]);
        using var before = await PreflightAsync(world, App, "GET", "x-our-trace");
        world.Gateway.Reconfigure(("Cors:AllowedHeaders:0", "X-Other-Trace"));
        using var after = await PreflightAsync(world, App, "GET", "x-other-trace");

        Assert.EndsWith(",Content-Type,X-Our-Trace", Header(before, "Access-Control-Allow-Headers"),
            StringComparison.Ordinal);
        Assert.EndsWith(",Content-Type,X-Other-Trace", Header(after, "Access-Control-Allow-Headers"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_star_allows_every_header_of_an_allowed_origin_and_none_of_another()
    {
        await using var world = await World.StartAsync([.. Allowed, ("Cors:AllowedHeaders:0", "*")]);
        using var answer = await PreflightAsync(world, App, "GET", "uberctx-user,x-any");
        using var foreign = await PreflightAsync(world, Foreign, "GET", "x-any");

        var headers = Header(answer, "Access-Control-Allow-Headers")!;
        Assert.StartsWith("Authorization,X-Api-Key,", headers, StringComparison.Ordinal);
        Assert.EndsWith(",uberctx-user,x-any", headers, StringComparison.Ordinal);
        Assert.DoesNotContain("*", headers, StringComparison.Ordinal);
        Assert.Null(Header(foreign, "Access-Control-Allow-Headers"));
    }

    [Fact]
    public async Task A_star_allows_only_what_can_be_the_name_of_a_header()
    {
        await using var world = await World.StartAsync([.. Allowed, ("Cors:AllowedHeaders:0", "*")]);
        using var connection = await RawConnection.OpenAsync(world.Gateway.Address);
        // The first name is UTF-8.
        await connection.SendAsync($"OPTIONS /v0/jobs HTTP/1.1\r\nHost: gateway\r\nOrigin: {App}\r\n"
            + "Access-Control-Request-Method: GET\r\n"
            + "Access-Control-Request-Headers: x-\u00c3\u00a9, x b, x-any, (x), X-ANY, x-api-key\r\n\r\n");
        var answer = await connection.ReadAsync(hasBody: false);

        Assert.Equal(204, answer!.Status);
        Assert.EndsWith(",Content-Type,x-any", answer.Headers["Access-Control-Allow-Headers"],
            StringComparison.Ordinal);
    }

    // A cache that stored an answer without CORS headers would otherwise give it to a page of an allowed origin.
    [Theory]
    [InlineData(null)]
    [InlineData(App)]
    [InlineData(Foreign)]
    public async Task The_contract_which_caches_may_store_depends_on_the_origin_in_every_answer(string? origin)
    {
        await using var world = await World.StartAsync(Allowed);
        using var client = world.Gateway.Client();
        if (origin is not null) client.DefaultRequestHeaders.Add("Origin", origin);
        using var answer = await client.GetAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation);
        client.DefaultRequestHeaders.IfNoneMatch.Add(answer.Headers.ETag!);
        using var unchanged = await client.GetAsync(new Uri("openapi/v0.json", UriKind.Relative), World.Cancellation);

        Assert.Equal([200, 304], [(int)answer.StatusCode, (int)unchanged.StatusCode]);
        Assert.Equal(["Origin", "Origin"], [Header(answer, "Vary"), Header(unchanged, "Vary")]);
    }

    [Fact]
    public async Task A_change_of_the_allowed_origins_needs_no_restart()
    {
        await using var world = await World.StartAsync(Allowed);
        using var before = await PreflightAsync(world, App, "GET", "x-csrf");
        world.Gateway.Reconfigure(("Cors:AllowedOrigins:0", Foreign));
        using var old = await PreflightAsync(world, App, "GET", "x-csrf");
        using var added = await PreflightAsync(world, Foreign, "GET", "x-csrf");
        Assert.Equal([App, null, Foreign], ((HttpResponseMessage[])[before, old, added])
            .Select(answer => Header(answer, "Access-Control-Allow-Origin")));
    }

    private static async Task<HttpResponseMessage> PreflightAsync(
        World world, string origin, string method, string headers)
    {
        using var client = world.Gateway.Client(
            ("Origin", origin), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", headers));
        using var request = new HttpRequestMessage(HttpMethod.Options, "v0/workflows/survey-1/jobs/finished-1");
        return await client.SendAsync(request, World.Cancellation);
    }

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;
}
