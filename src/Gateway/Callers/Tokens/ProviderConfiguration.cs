using System.Net;
using System.Text.Json;
using Gateway.Outbound;
using Gateway.Telemetry;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Tokens;

/// <summary>
/// Caches the endpoints and keys that an OpenID Connect provider publishes (OpenID Connect Discovery 1.0, section 4).
/// The provider is first asked when a request needs it, by one request at a time, and at most once a second. While it
/// is away, the last configuration stays in use. Decision 029 says why the library's ConfigurationManager is not used.
/// </summary>
internal sealed partial class ProviderConfiguration : IConfigurationManager<OpenIdConnectConfiguration>, IDisposable
{
    /// <summary>The least time between requests: to a provider that is away, and for new keys.</summary>
    public static readonly TimeSpan BackOff = TimeSpan.FromSeconds(1), BetweenRefreshes = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RefreshAfter = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(4), LongestWait = TimeSpan.FromSeconds(2);
    private const long LargestDocument = 1024 * 1024;

    private readonly string _options, _authority, _metadataAddress;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Certificates _certificates;
    private readonly ProviderOrigins? _origins;
    private readonly HttpClient _client;
    private readonly HttpDocumentRetriever _documents;
    private readonly Lock _starting = new();
    private volatile OpenIdConnectConfiguration? _known;
    private volatile string? _mismatch;
    private Task _fetch = Task.CompletedTask;
    // Timestamps; 0: never.
    private long _askedAt, _learntAt;

    /// <param name="section">The section of the provider's options.</param>
    /// <param name="authority">The issuer, with or without a slash at the end.</param>
    /// <param name="metadataAddress">
    /// The address of the discovery document. Empty: <c>/.well-known/openid-configuration</c> below the authority.
    /// </param>
    /// <param name="requireHttps">Whether the provider must be called by https.</param>
    /// <param name="internalAddress">
    /// The origin at which the gateway reaches the provider; empty: that of the authority.
    /// </param>
    public ProviderConfiguration(
        string section, string authority, string metadataAddress, bool requireHttps, Func<TlsFiles> tls,
        TimeProvider clock, ILogger<ProviderConfiguration> logger, string internalAddress = "")
    {
        if (internalAddress.Length > 0) _origins = new(new Uri(authority), new Uri(internalAddress));
        _options = $"{section}:Authority and {section}:MetadataAddress";
        _authority = authority.TrimEnd('/');
        _metadataAddress =
            metadataAddress.Length > 0 ? metadataAddress : $"{_authority}/.well-known/openid-configuration";
        _clock = clock;
        _logger = logger;
        _certificates = new Certificates(tls, logger);
        _client = new HttpClient(NewHandler())
        {
            MaxResponseContentBufferSize = LargestDocument,
        };
        _documents = new HttpDocumentRetriever(_client) { RequireHttps = requireHttps };
    }

    /// <summary>Returns the configuration, which is read first if there is none yet.</summary>
    /// <returns>Null if the provider has never answered.</returns>
    public ValueTask<OpenIdConnectConfiguration?> FindAsync()
    {
        if (_known is not { } known) return FetchedAsync(BackOff);
        if (Since(ref _learntAt) < RefreshAfter) return new(known);
        // There was no request for a long time, and known keys may have been withdrawn.
        if (Since(ref _askedAt) > 2 * RefreshAfter) return FetchedAsync(BetweenRefreshes);
        _ = FetchAsync(BetweenRefreshes);
        return new(known);
    }

    /// <summary>
    /// Whether the provider was never read, and answered the last request with something that cannot be its metadata.
    /// The options are then wrong, and waiting does not help.
    /// </summary>
    public bool IsMismatch => _known is null && _mismatch is not null;

    /// <summary>The timestamp of the last successful read; 0 means never.</summary>
    public long LearntAt => Interlocked.Read(ref _learntAt);

    /// <summary>Reads the configuration again, because a key is unknown.</summary>
    /// <param name="learntAt"><see cref="LearntAt"/> as it was when the caller's request began.</param>
    /// <returns>
    /// The configuration, and whether it was read after <paramref name="learntAt"/>. If not, the provider was asked a
    /// moment ago or is away.
    /// </returns>
    public async ValueTask<(OpenIdConnectConfiguration Said, bool IsNews)> NewerAsync(
        OpenIdConnectConfiguration than, long learntAt)
    {
        if (LearntAt == learntAt) await FetchedAsync(BetweenRefreshes);
        return (_known ?? than, LearntAt != learntAt);
    }

    /// <exception cref="ProviderAwayException">The provider has never answered.</exception>
    /// <exception cref="ProviderMismatchException">The provider has only given wrong answers.</exception>
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
        await FindAsync().AsTask().WaitAsync(cancel) ?? throw (_mismatch is { } mismatch
            ? new ProviderMismatchException($"the identity provider cannot be used: {mismatch}", _options)
            : new ProviderAwayException());

    /// <summary>Asks the provider once, for <c>check --online</c>.</summary>
    /// <returns>Why its configuration cannot be used; null: it can.</returns>
    public async Task<string?> TryAsync(CancellationToken cancellation)
    {
        try
        {
            var said = await ReadAsync(cancellation);
            return !IsOwn(said) ? IssuerProblemOf(said) : said.SigningKeys.Count == 0 ? "it publishes no keys" : null;
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            return "does not answer in time";
        }
        catch (Exception e) when (IsOfProvider(e))
        {
            return MismatchOf(e) ?? $"its configuration or keys cannot be read: {ProblemOf(e)}";
        }
    }

    public void RequestRefresh() => _ = FetchAsync(BetweenRefreshes);

    /// <summary>Creates a handler for requests to the provider.</summary>
    public HttpMessageHandler NewHandler()
    {
        var handler = new OutboundHandler(_certificates, _ => { });
        return _origins?.Wrap(handler) ?? handler;
    }

    public void Dispose() => _client.Dispose();

    private TimeSpan Since(ref long timestamp) =>
        Interlocked.Read(ref timestamp) is var then and not 0 ? _clock.GetElapsedTime(then) : TimeSpan.MaxValue;

    private async ValueTask<OpenIdConnectConfiguration?> FetchedAsync(TimeSpan atLeastApart)
    {
        var fetch = FetchAsync(atLeastApart);
        // All callers share one wait: a caller that comes later waits only for the rest of it.
        var left = LongestWait - Since(ref _askedAt);
        if (!fetch.IsCompleted && left > TimeSpan.Zero) await Task.WhenAny(fetch, Task.Delay(left));
        return _known;
    }

    // One fetch at a time. Callers that come during it, or soon after, share it.
    private Task FetchAsync(TimeSpan atLeastApart)
    {
        lock (_starting)
        {
            if (!_fetch.IsCompleted || Since(ref _askedAt) < atLeastApart) return _fetch;
            Interlocked.Exchange(ref _askedAt, _clock.GetTimestamp());
            return _fetch = AskAsync();
        }
    }

    private async Task AskAsync()
    {
        try
        {
            using var deadline = new CancellationTokenSource(Deadline);
            var said = await ReadAsync(deadline.Token);
            _mismatch = IsOwn(said) ? null : IssuerProblemOf(said);
            if (_mismatch is null)
            {
                _known = said;
                Interlocked.Exchange(ref _learntAt, _clock.GetTimestamp());
            }
        }
        catch (Exception e)
        {
            _mismatch = MismatchOf(e);
            // Waiting requests are answered as if the provider were away. An exception that the provider cannot cause
            // is logged with its stack.
            if (_mismatch is null) Log.Failed(_logger, IsOfProvider(e) ? null : e, _authority, ProblemOf(e));
        }
        if (_mismatch is { } mismatch) Log.Mismatch(_logger, _authority, mismatch, _options);
        Interlocked.Exchange(ref _askedAt, _clock.GetTimestamp());
    }

    private async Task<OpenIdConnectConfiguration> ReadAsync(CancellationToken cancellation)
    {
        var said = await OpenIdConnectConfigurationRetriever.GetAsync(_metadataAddress, _documents, cancellation);
        if (_origins is null) return said;
        said.AuthorizationEndpoint = _origins.ForBrowser(said.AuthorizationEndpoint);
        said.EndSessionEndpoint = _origins.ForBrowser(said.EndSessionEndpoint);
        return said;
    }

    // Without this check, one provider could publish keys for another (section 4.3).
    private bool IsOwn(OpenIdConnectConfiguration said) => said.Issuer?.TrimEnd('/') == _authority;

    // The metadata for all tenants of Microsoft Entra ID has a placeholder in place of a tenant. Accepting it would
    // accept the users of every organisation.
    private static string IssuerProblemOf(OpenIdConnectConfiguration said)
    {
        var hint = said.Issuer?.Contains("{tenantid}", StringComparison.OrdinalIgnoreCase) == true
            ? "that is the metadata for all tenants; name the tenant in the authority"
            : "the authority must be its issuer";
        var published = said.Issuer is null ? "no issuer" : $"the issuer {LogText.Clean(said.Issuer)}";
        return $"it publishes {published}; {hint}";
    }

    // The library's messages hide the address, and contain the whole answer.
    private static string? MismatchOf(Exception e) => StatusOf(e) switch
    {
        null => (e as JsonException ?? e.InnerException) is JsonException
            ? "its metadata or keys are not the JSON of a provider" : null,
        HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError =>
            null,
        var status => $"its metadata or keys are answered with {(int)status}",
    };

    private static HttpStatusCode? StatusOf(Exception e) =>
        e.Data[HttpDocumentRetriever.StatusCode] as HttpStatusCode?;

    private string ProblemOf(Exception e) => EgressProxyException.In(e)?.Message ?? _certificates.Explain(e)
        ?? (StatusOf(e) is { } status ? $"the answer is {(int)status}" : LogText.Clean(e.GetBaseException().Message));

    private static bool IsOfProvider(Exception e) =>
        e is HttpRequestException or IOException or OperationCanceledException or JsonException or ArgumentException
            or SecurityTokenException;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error,
            "The identity provider {Authority} cannot be used: {Problem}. Check {Options}")]
        public static partial void Mismatch(ILogger logger, string authority, string problem, string options);

        [LoggerMessage(LogLevel.Warning, "The keys of the identity provider {Authority} cannot be fetched: {Problem}")]
        public static partial void Failed(ILogger logger, Exception? defect, string authority, string problem);
    }
}

/// <summary>The identity provider is away, and its configuration was never read.</summary>
internal sealed class ProviderAwayException()
    : Exception("The configuration of the identity provider cannot be fetched.");
