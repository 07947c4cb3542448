using System.Globalization;
using System.Net;
using System.Text;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.RequestPath;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Routes;

/// <summary>Tests ranges of a route's answers, with an upstream that serves a file.</summary>
public sealed class RangeTests
{
    private static readonly (string, string?)[] Routes =
        [("Routes:file:Path", "/v0/files/{file}"), ("Teams:mapping:Routes:0", "*")];

    private static readonly string Text = string.Concat(Enumerable.Range(0, 2000).Select(i => $"{i:d4}\n"));

    [Theory]
    [InlineData("bytes=0-9", 0, 9)]
    [InlineData("bytes=5000-5009", 5000, 5009)]
    [InlineData("bytes=9995-", 9995, 9999)]
    [InlineData("bytes=9000-20000", 9000, 9999)]
    [InlineData("bytes=-7", 9993, 9999)]
    [InlineData("bytes=0-", 0, 9999)]
    [InlineData("bytes=1-9998", 1, 9998)]
    public async Task A_range_is_answered_with_exactly_its_bytes(string range, int first, int last)
    {
        await using var world = await StartAsync(Text);
        using var answer = await GetAsync(world, ("Range", range), ("If-Range", "\"v1\""));
        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal(Text[first..(last + 1)], await answer.Content.ReadAsStringAsync(World.Cancellation));
        Assert.Equal(
            ($"bytes {first}-{last}/10000", last - first + 1, "bytes", "\"v1\"", "no-store"),
            ($"{answer.Content.Headers.ContentRange}", answer.Content.Headers.ContentLength,
                $"{answer.Headers.AcceptRanges}", $"{answer.Headers.ETag}", $"{answer.Headers.CacheControl}"));
    }

    [Theory]
    [InlineData("bytes=0-1,4-5", "\"v1\"")]
    [InlineData("bytes=2-1", "\"v1\"")]
    [InlineData("lines=0-1", "\"v1\"")]
    [InlineData("bytes=0-9", "\"v0\"")]
    public async Task Several_ranges_or_an_old_validator_get_the_whole_answer(string range, string validator)
    {
        await using var world = await StartAsync(Text);
        using var answer = await GetAsync(world, ("Range", range), ("If-Range", validator));
        Assert.Equal((HttpStatusCode.OK, Text),
            (answer.StatusCode, await answer.Content.ReadAsStringAsync(World.Cancellation)));
        Assert.Null(answer.Content.Headers.ContentRange);
    }

    [Theory]
    [InlineData("bytes=10000-")]
    [InlineData("bytes=10001-10010")]
    [InlineData("bytes=99999-")]
    [InlineData("bytes=-0")]
    public async Task A_range_beyond_the_end_is_416_with_the_size(string range)
    {
        await using var world = await StartAsync(Text);
        using var answer = await GetAsync(world, ("Range", range));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
        Assert.Equal("bytes */10000", $"{answer.Content.Headers.ContentRange}");
        Assert.Equal("/problems/range-not-satisfiable", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("bytes=0-9")]
    public async Task HEAD_has_the_headers_of_the_whole_answer_and_no_body(string? range)
    {
        await using var world = await StartAsync(Text);
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var request = new HttpRequestMessage(HttpMethod.Head, "v0/files/f");
        if (range is not null) request.Headers.Add("Range", range);
        using var answer = await client.SendAsync(request, World.Cancellation);
        Assert.Equal((HttpStatusCode.OK, 10_000, "bytes", "\"v1\"", "no-store"),
            (answer.StatusCode, answer.Content.Headers.ContentLength, $"{answer.Headers.AcceptRanges}",
                $"{answer.Headers.ETag}", $"{answer.Headers.CacheControl}"));
        Assert.Equal("", await answer.Content.ReadAsStringAsync(World.Cancellation));
    }

    [Theory]
    [InlineData(404, 404)]
    [InlineData(405, 502)]
    [InlineData(204, 204)]
    [InlineData(302, 302)]
    public async Task HEAD_is_answered_as_GET_is_and_the_upstream_gets_a_GET(int status, int expected)
    {
        var methods = new List<string>();
        await using var world = await StartAsync(Text, http =>
        {
            methods.Add(http.Request.Method);
            http.Response.StatusCode = status;
            if (status == 302) http.Response.Headers.Location = "/v0/files/g";
            return status == 204 ? Task.CompletedTask : http.Response.WriteAsync("{}");
        });
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey));
        using var answer = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "v0/files/f"),
            World.Cancellation);
        Assert.Equal((expected, status == 302 ? "g" : ""), ((int)answer.StatusCode, $"{answer.Headers.Location}"));
        Assert.Equal(["GET"], methods);
    }

    [Fact]
    public async Task A_digest_of_the_wider_range_is_not_passed()
    {
        await using var world = await StartAsync(Text, async http =>
        {
            http.Response.Headers["Content-Digest"] = http.Response.Headers["Content-MD5"] = "of these bytes";
            http.Response.Headers["Repr-Digest"] = "of the file";
            if (http.Request.Headers.Range.Count == 0) return;
            http.Response.StatusCode = 206;
            http.Response.Headers.ContentRange = "bytes 0-9999/10000";
            await http.Response.WriteAsync(Text);
        }, [.. ((string[])["Content-Digest", "Content-MD5", "Repr-Digest"])
            .Select((name, i) => ($"Routes:file:ResponseHeaders:{i}", name))]);
        using var part = await GetAsync(world, ("Range", "bytes=0-"));
        Assert.Equal((HttpStatusCode.PartialContent, false, false, true),
            (part.StatusCode, HasHeader(part, "Content-Digest"), HasHeader(part, "Content-MD5"),
                HasHeader(part, "Repr-Digest")));
        using var whole = await GetAsync(world);
        Assert.True(HasHeader(whole, "Content-Digest"));

        static bool HasHeader(HttpResponseMessage answer, string name) =>
            answer.Headers.NonValidated.Contains(name) || answer.Content.Headers.NonValidated.Contains(name);
    }

    [Fact]
    public async Task A_416_that_nobody_asked_for_is_no_answer_about_a_range()
    {
        await using var world = await StartAsync(Text, http =>
        {
            http.Response.StatusCode = 416;
            return Task.CompletedTask;
        });
        using var answer = await GetAsync(world);
        Assert.Equal("/problems/upstream-invalid", await BoundTests.ProblemTypeAsync(answer));
    }

    [Theory]
    [InlineData("bytes 0-99/10000")]
    [InlineData("bytes 5000-5009/10000")]
    [InlineData("bytes 0-4/*")]
    [InlineData(null)]
    public async Task A_partial_answer_that_does_not_hold_the_range_with_its_margins_is_502(string? contentRange)
    {
        await using var world = await StartAsync(Text, http =>
        {
            http.Response.StatusCode = 206;
            if (contentRange is not null) http.Response.Headers.ContentRange = contentRange;
            http.Response.ContentType = "multipart/byteranges; boundary=x";
            return http.Response.WriteAsync(new string('x', 100));
        });
        using var answer = await GetAsync(world, ("Range", "bytes=5000-5009"));
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("/problems/upstream-invalid", await BoundTests.ProblemTypeAsync(answer));
        Assert.Contains("wrong-range", await answer.Content.ReadAsStringAsync(World.Cancellation),
            StringComparison.Ordinal);
    }

    public static TheoryData<string> Forms =>
    [
        Canary.Credential, string.Concat(Canary.Secret.Select(c => $"%{(int)c:x2}")),
        string.Concat(Canary.Secret.Select(c => $"\\\\u{(int)c:x4}")),
        Convert.ToBase64String(Encoding.ASCII.GetBytes("x" + Canary.Secret)),
    ];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task A_credential_cannot_be_read_in_slices(string form)
    {
        var (before, after) = (new string('.', 1000), new string('.', 1000));
        await using var world = await StartAsync(before + form + after);
        var read = new StringBuilder();
        // Each slice is far too short to be recognised by itself.
        for (var at = before.Length - 20; at < before.Length + form.Length + 20; at += 3)
        {
            read.Append(await ReadAsync(world, string.Create(CultureInfo.InvariantCulture, $"bytes={at}-{at + 2}")));
        }
        Assert.Matches("^[.]*$", read.ToString());
        // The ends of the file are further away than the longest form, so that they may be read.
        Assert.Equal("..", await ReadAsync(world, "bytes=0-1"));
        Assert.Equal("..", await ReadAsync(world, "bytes=-2"));
    }

    [Fact]
    public async Task A_slice_that_ends_within_the_credential_is_cut_off_before_it()
    {
        await using var world = await StartAsync($"[{new string('.', 100_000)}] {Canary.Secret} []");
        Assert.Equal($"[{new string('.', 98_999)}", await ReadAsync(world, "bytes=0-98999"));
        Assert.DoesNotContain("canary", await ReadAsync(world, "bytes=99000-100010"), StringComparison.Ordinal);
        Assert.DoesNotContain("a2", await ReadAsync(world, "bytes=-5"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_partial_answer_that_ends_early_is_not_complete()
    {
        await using var world = await StartAsync(Text, async http =>
        {
            http.Response.StatusCode = 206;
            http.Response.Headers.ContentRange = "bytes 0-9999/10000";
            await http.Response.WriteAsync(Text[..5000]);
        });
        using var client = world.Gateway.Client(("X-Api-Key", World.MappingKey), ("Range", "bytes=0-"));
        await Assert.ThrowsAnyAsync<HttpRequestException>(
            () => client.GetStringAsync(new Uri("v0/files/f", UriKind.Relative), World.Cancellation));
    }

    private static async Task<string> ReadAsync(World world, string range)
    {
        try
        {
            using var answer = await GetAsync(world, ("Range", range));
            return answer.StatusCode == HttpStatusCode.PartialContent
                ? await answer.Content.ReadAsStringAsync(World.Cancellation) : "";
        }
        catch (HttpRequestException)
        {
            // The answer was cut off.
            return "";
        }
    }

    private static async Task<HttpResponseMessage> GetAsync(World world, params (string, string)[] headers)
    {
        using var client = world.Gateway.Client([("X-Api-Key", World.MappingKey), .. headers]);
        return await client.GetAsync(new Uri("v0/files/f", UriKind.Relative), World.Cancellation);
    }

    private static async Task<World> StartAsync(
        string text, RequestDelegate? answer = null, params (string, string?)[] settings)
    {
        var world = await World.StartAsync([.. Routes, .. settings]);
        // The framework's own implementation of ranges.
        world.Upstream.Others["/v0/files/f"] = answer ?? (http => Results.File(
            Encoding.ASCII.GetBytes(text), "text/plain", enableRangeProcessing: true,
            entityTag: new Microsoft.Net.Http.Headers.EntityTagHeaderValue("\"v1\"")).ExecuteAsync(http));
        return world;
    }
}
