namespace Gateway.Upstream;

/// <summary>The headers of every call to the upstream.</summary>
internal static class OutboundHeaders
{
    public static void Set(HttpRequestMessage request, Credential credential)
    {
        request.Headers.TryAddWithoutValidation("Authorization", credential.HeaderValue);
        // The gateway passes bytes on unchanged, so they must not be encoded.
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        request.Headers.TryAddWithoutValidation("User-Agent", "Gateway");
    }
}
