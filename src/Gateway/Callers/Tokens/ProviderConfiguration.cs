using System.Text.Json;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Tokens;

/// <summary>
/// What an OpenID Connect provider publishes of itself: its endpoints and its keys (OpenID Connect Discovery 1.0,
/// section 4). It is asked when it is first needed, not at the start; by one request at a time, and never by many in a
/// row; what it said last goes on while it is away.
/// </summary>
/// <remarks>
/// The library's own manager makes each request wait for a provider that is away, and cannot be waited for where a key
/// is new, so that the first token after a roll-over is refused.
/// </remarks>
internal sealed partial class ProviderConfiguration : IConfigurationManager<OpenIdConnectConfiguration>, IDisposable
{
    /// <summary>How far apart questions are: to a provider that is away, and for keys that may be new.</summary>
    public static readonly TimeSpan BackOff = TimeSpan.FromSeconds(1), BetweenRefreshes = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RefreshAfter = TimeSpan.FromMinutes(10), Deadline = TimeSpan.FromSeconds(4), LongestWait = TimeSpan.FromSeconds(2);
    private const long LargestDocument = 1024 * 1024;

    private readonly string _authority;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly HttpClient _client;
    private readonly HttpDocumentRetriever _documents;
    private readonly Lock _starting = new();
    private volatile OpenIdConnectConfiguration? _known;
    private Task _fetch = Task.CompletedTask;
    // Timestamps; 0: never.
    private long _askedAt, _learntAt;

    public ProviderConfiguration(string authority, bool requireHttps, TimeProvider clock, ILogger<ProviderConfiguration> logger)
    {
        _authority = authority.TrimEnd('/');
        _clock = clock;
        _logger = logger;
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { MaxResponseContentBufferSize = LargestDocument };
        _documents = new HttpDocumentRetriever(_client) { RequireHttps = requireHttps };
    }

    /// <summary>What is known of it.</summary>
    /// <returns>Null: it cannot be asked, and was not asked before.</returns>
    public ValueTask<OpenIdConnectConfiguration?> FindAsync()
    {
        if (_known is not { } known) return FetchedAsync(BackOff);
        if (Since(ref _learntAt) < RefreshAfter) return new(known);
        // Nobody asked for long, and what is known may be long withdrawn.
        if (Since(ref _askedAt) > 2 * RefreshAfter) return FetchedAsync(BetweenRefreshes);
        _ = FetchAsync(BetweenRefreshes);
        return new(known);
    }

    /// <summary>When it last said what is known, as a timestamp; 0: never.</summary>
    public long LearntAt => Interlocked.Read(ref _learntAt);

    /// <summary>What it says now, where that may be newer than what was known: a key is missing.</summary>
    /// <param name="learntAt">When that was learnt, as far as whoever asks knew when it began.</param>
    /// <returns>And whether it is news since; else the provider was asked a moment ago, or is away.</returns>
    public async ValueTask<(OpenIdConnectConfiguration Said, bool IsNews)> NewerAsync(OpenIdConnectConfiguration than, long learntAt)
    {
        if (LearntAt == learntAt) await FetchedAsync(BetweenRefreshes);
        return (_known ?? than, LearntAt != learntAt);
    }

    /// <exception cref="ProviderAwayException">It cannot be asked, and was not asked before.</exception>
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
        await FindAsync().AsTask().WaitAsync(cancel) ?? throw new ProviderAwayException();

    public void RequestRefresh() => _ = FetchAsync(BetweenRefreshes);

    public void Dispose() => _client.Dispose();

    private TimeSpan Since(ref long timestamp) =>
        Interlocked.Read(ref timestamp) is var then and not 0 ? _clock.GetElapsedTime(then) : TimeSpan.MaxValue;

    private async ValueTask<OpenIdConnectConfiguration?> FetchedAsync(TimeSpan atLeastApart)
    {
        var fetch = FetchAsync(atLeastApart);
        // Whoever comes later into one that takes its time need not find that out again.
        var left = LongestWait - Since(ref _askedAt);
        if (!fetch.IsCompleted && left > TimeSpan.Zero) await Task.WhenAny(fetch, Task.Delay(left));
        return _known;
    }

    // One at a time; whoever comes meanwhile, or soon after, shares it.
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
            var said = await OpenIdConnectConfigurationRetriever.GetAsync(
                $"{_authority}/.well-known/openid-configuration", _documents, deadline.Token);
            // Section 4.3: else one provider could speak for another.
            if (said.Issuer?.TrimEnd('/') != _authority)
            {
                Log.WrongIssuer(_logger, _authority, said.Issuer);
            }
            else
            {
                _known = said;
                Interlocked.Exchange(ref _learntAt, _clock.GetTimestamp());
            }
        }
        catch (Exception e)
        {
            // Requests that wait are told that the provider is away. An exception that the provider cannot cause is
            // logged with its stack.
            Log.Failed(_logger, IsOfProvider(e) ? null : e, _authority, e.GetBaseException().Message);
        }
        Interlocked.Exchange(ref _askedAt, _clock.GetTimestamp());
    }

    private static bool IsOfProvider(Exception e) =>
        e is HttpRequestException or IOException or OperationCanceledException or JsonException or ArgumentException
            or SecurityTokenException;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "The identity provider {Authority} calls itself {Issuer}, so it is not believed; the authority must be its issuer")]
        public static partial void WrongIssuer(ILogger logger, string authority, string? issuer);

        [LoggerMessage(LogLevel.Warning, "The identity provider {Authority} cannot be asked for its keys: {Problem}")]
        public static partial void Failed(ILogger logger, Exception? defect, string authority, string problem);
    }
}

/// <summary>The identity provider cannot be asked, and was not asked before.</summary>
internal sealed class ProviderAwayException() : Exception("The identity provider cannot be asked for its configuration.");
