using System.Text.Json;
using Simulator;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A page on another origin than the gateway's, in a real browser, that requests jobs with plain <c>fetch</c> and a
/// gateway key. Disposing of it closes the tab and the page's server.
/// </summary>
internal sealed class JobPage : IAsyncDisposable
{
    // Polls once, and returns the parts of the answer that the page can read.
    private const string Ask = """
        async ([url, key, cache, etag]) => {
            const headers = { 'X-Api-Key': key, ...(etag ? { 'If-None-Match': etag } : {}) };
            const answer = await fetch(url, { headers, credentials: 'include', ...(cache ? { cache } : {}) });
            const text = await answer.text();
            const field = name => answer.headers.get(name);
            return JSON.stringify({
                at: Date.now(), http: answer.status, job: text ? JSON.parse(text).status : null, etag: field('ETag'),
                retryAfter: field('Retry-After'), age: field('Age'), cacheStatus: field('Cache-Status'),
                cacheControl: field('Cache-Control'), rateLimit: field('RateLimit'),
            });
        }
        """;

    private readonly TestPage _origin;

    private JobPage(TestPage origin, BrowserTab tab) => (_origin, Tab) = (origin, tab);

    public BrowserTab Tab { get; }

    /// <summary>The setting that lets pages of this origin call the gateway.</summary>
    public static (string Key, string? Value) Allow(TestPage origin) =>
        ("Cors:AllowedOrigins:0", origin.Address.GetLeftPart(UriPartial.Authority));

    public static async Task<JobPage> OpenAsync(Browser browser, TestPage origin)
    {
        var tab = await browser.OpenAsync();
        await tab.Page.GotoAsync(origin.Address.AbsoluteUri);
        return new JobPage(origin, tab);
    }

    /// <summary>A page that requests a job once it has loaded, and shows the job's status as its title.</summary>
    public static string ShowsOnLoad(Uri url) => $$"""
        <script>
        // After the load event: a browser's reload is over then, and this request is like any other.
        addEventListener('load', () => setTimeout(async () => {
            const answer = await fetch('{{url}}', { headers: { 'X-Api-Key': '{{World.MappingKey}}' } });
            document.title = (await answer.json()).status;
        }));
        </script>
        """;

    public static Uri UrlOf(Uri gateway, string job) => new(gateway, $"v0/workflows/survey-1/jobs/{job}");

    /// <summary>Polls once.</summary>
    /// <param name="url">The address of the job.</param>
    /// <param name="cache">The cache mode of <c>fetch</c>, or null for the default.</param>
    /// <param name="etag">The value of <c>If-None-Match</c> that the script sends, or null for none.</param>
    public async Task<Poll> AskAsync(Uri url, string? cache = null, string? etag = null) =>
        Read(await Tab.Page.EvaluateAsync<string>(
            Ask, new object?[] { url.AbsoluteUri, World.MappingKey, cache, etag }));

    /// <summary>Starts a loop in the page that polls every two seconds.</summary>
    public Task StartPollingAsync(Uri url) => Tab.Page.EvaluateAsync($$"""
        args => {
            window.polls = [];
            const ask = {{Ask}};
            const poll = async () => window.polls.push(await ask(args));
            poll();
            setInterval(poll, 2000);
        }
        """, new object?[] { url.AbsoluteUri, World.MappingKey, null, null });

    /// <summary>All answered polls.</summary>
    public async Task<Poll[]> PollsAsync() =>
        [.. (await Tab.Page.EvaluateAsync<string[]>("() => window.polls")).Select(Read)];

    public async ValueTask DisposeAsync()
    {
        await Tab.DisposeAsync();
        await _origin.DisposeAsync();
    }

    private static Poll Read(string json) => JsonSerializer.Deserialize<Poll>(json, JsonSerializerOptions.Web)!;

    /// <param name="At">Milliseconds since 1970, by the browser's clock.</param>
    /// <param name="Http">The status code that the page sees. It is 200 if the browser received a 304.</param>
    /// <param name="Job">The job's <c>status</c>.</param>
    internal sealed record Poll(
        long At, int Http, string? Job, string? ETag, string? RetryAfter, string? Age, string? CacheStatus,
        string? CacheControl, string? RateLimit);
}

/// <summary>A job of the simulator that runs for an hour, unless a test ends it.</summary>
internal static class LongJob
{
    /// <summary>Makes the upstream report a job as completed from now on.</summary>
    public static async Task EndAsync(World world, string job)
    {
        var completed = System.Text.Encoding.UTF8.GetString(await world.UpstreamBytesAsync("finished-1"));
        world.Upstream.Faults.Add(new Fault
        {
            Job = job,
            Kind = FaultKind.Status,
            Status = 200,
            Body = completed.Replace("\"id\":\"finished-1\"", $"\"id\":\"{job}\"", StringComparison.Ordinal),
        });
    }
}
