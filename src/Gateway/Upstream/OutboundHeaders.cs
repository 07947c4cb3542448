namespace Gateway.Upstream;

/// <summary>The headers of every call to the upstream, and its account for the metrics.</summary>
internal static class OutboundHeaders
{
    public static readonly HttpRequestOptionsKey<string> Account = new("Gateway.Account");

    public static void Set(HttpRequestMessage request, string account, Credential credential)
    {
        request.Options.Set(Account, account);
        request.Headers.TryAddWithoutValidation("Authorization", credential.HeaderValue);
        // The gateway passes bytes on unchanged, so they must not be encoded.
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        request.Headers.TryAddWithoutValidation("User-Agent", "Gateway");
    }
}
