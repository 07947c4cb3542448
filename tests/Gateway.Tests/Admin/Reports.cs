using System.Net;
using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Admin;

/// <summary>Reads reports as an operator.</summary>
internal static class Reports
{
    /// <summary>Reads a report, and checks that nobody may keep it and that it has no credential.</summary>
    public static async Task<JsonElement> GetAsync(GatewayNode node, string path)
    {
        using var answer = await AskAsync(node, path);
        var body = await answer.Content.ReadAsStringAsync(World.Cancellation);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        Canary.AssertAbsent(path, body);
        return JsonElement.Parse(body);
    }

    public static async Task<HttpResponseMessage> AskAsync(
        GatewayNode node, string path, string key = Purging.OperatorKey)
    {
        using var client = node.Client(("X-Api-Key", key));
        return await client.GetAsync(new Uri(path, UriKind.Relative), World.Cancellation);
    }

    /// <summary>Returns a member of a report by its path, such as <c>memory.present</c>, as text.</summary>
    public static string? Of(this JsonElement report, string path) =>
        path.Split('.').Aggregate(report, (member, name) => member.GetProperty(name)).ToString();

    public static DateTimeOffset TimeOf(this JsonElement report, string path) =>
        path.Split('.').Aggregate(report, (member, name) => member.GetProperty(name)).GetDateTimeOffset();
}
