using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Gateway.Callers.Tokens;

/// <summary>
/// What an OpenID Connect provider publishes of itself: its endpoints and its keys (OpenID Connect Discovery 1.0, section
/// 4). It is asked when it is first needed, not at the start; by one request at a time, and never by many in a row;
/// what it said last goes on while it is away.
/// </summary>
/// <remarks>
/// The library's own manager makes each request wait for a provider that is away, and cannot be waited for where a key is
/// new, so that the first token after a roll-over is refused.
/// </remarks>
internal sealed partial class ProviderConfiguration : IConfigurationManager<OpenIdConnectConfiguration>, IDisposable
{
    /// <summary>How long an answer of the provider's, a dead one included, is the last word.</summary>
    public static readonly TimeSpan BackOff = TimeSpan.FromSeconds(1), BetweenRefreshes = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RefreshAfter = TimeSpan.FromMinutes(10), Patience = TimeSpan.FromSeconds(5), LongestWait = TimeSpan.FromSeconds(2);
    private const long LargestDocument = 1024 * 1024;

    private readonly string _authority;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly HttpClient _client;
    private readonly HttpDocumentRetriever _documents;
    private readonly Lock _starting = new();
    private volatile OpenIdConnectConfiguration? _known;
    private Task _fetch = Task.CompletedTask;
    private long _fetchedAt;

    public ProviderConfiguration(string authority, bool requireHttps, TimeProvider clock, ILogger<ProviderConfiguration> logger)
    {
        _authority = authority.TrimEnd('/');
        _clock = clock;
        _logger = logger;
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            Timeout = Patience,
            MaxResponseContentBufferSize = LargestDocument,
        };
        _documents = new HttpDocumentRetriever(_client) { RequireHttps = requireHttps };
    }

    /// <summary>What is known of it.</summary>
    /// <returns>Null: it cannot be asked, and was not asked before.</returns>
    public ValueTask<OpenIdConnectConfiguration?> FindAsync()
    {
        if (_known is not { } known) return FetchedAsync(BackOff);
        // Nobody asked for long, and what is known may be long withdrawn.
        if (SinceFetch > 2 * RefreshAfter) return FetchedAsync(BetweenRefreshes);
        if (SinceFetch > RefreshAfter) _ = FetchAsync(BetweenRefreshes);
        return new(known);
    }

    /// <summary>What it says now, where that may be newer than what was known: a key is missing.</summary>
    public ValueTask<OpenIdConnectConfiguration?> NewerAsync(OpenIdConnectConfiguration than) =>
        _known is { } known && known != than ? new(known) : FetchedAsync(BetweenRefreshes);

    /// <exception cref="ProviderAwayException">It cannot be asked, and was not asked before.</exception>
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
        await FindAsync().AsTask().WaitAsync(cancel) ?? throw new ProviderAwayException();

    public void RequestRefresh() => _ = FetchAsync(BetweenRefreshes);

    public void Dispose() => _client.Dispose();

    private TimeSpan SinceFetch => new(_clock.GetUtcNow().Ticks - Interlocked.Read(ref _fetchedAt));

    private async ValueTask<OpenIdConnectConfiguration?> FetchedAsync(TimeSpan atLeastApart)
    {
        var fetch = FetchAsync(atLeastApart);
        // Whoever comes later into one that takes its time need not find that out again.
        var left = LongestWait - SinceFetch;
        if (!fetch.IsCompleted && left > TimeSpan.Zero) await Task.WhenAny(fetch, Task.Delay(left));
        return _known;
    }

    // One at a time; whoever comes meanwhile, or soon after, shares it.
    private Task FetchAsync(TimeSpan atLeastApart)
    {
        lock (_starting)
        {
            if (!_fetch.IsCompleted || SinceFetch < atLeastApart) return _fetch;
            Interlocked.Exchange(ref _fetchedAt, _clock.GetUtcNow().Ticks);
            return _fetch = AskAsync();
        }
    }

    private async Task AskAsync()
    {
        try
        {
            var said = await OpenIdConnectConfigurationRetriever.GetAsync(
                $"{_authority}/.well-known/openid-configuration", _documents, CancellationToken.None);
            // Section 4.3: else one provider could speak for another.
            if (said.Issuer?.TrimEnd('/') != _authority) Log.WrongIssuer(_logger, _authority, said.Issuer);
            else _known = said;
        }
        catch (Exception e)
        {
            // Whatever it is, it is about the provider, and whoever waits is told that it is away.
            Log.Failed(_logger, _authority, e.GetBaseException().Message);
        }
        Interlocked.Exchange(ref _fetchedAt, _clock.GetUtcNow().Ticks);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "The identity provider {Authority} calls itself {Issuer}, so it is not believed; the authority must be its issuer")]
        public static partial void WrongIssuer(ILogger logger, string authority, string? issuer);

        [LoggerMessage(LogLevel.Warning, "The identity provider {Authority} cannot be asked for its keys: {Problem}")]
        public static partial void Failed(ILogger logger, string authority, string problem);
    }
}

/// <summary>The identity provider cannot be asked, and was not asked before.</summary>
internal sealed class ProviderAwayException() : Exception("The identity provider cannot be asked for its configuration.");
