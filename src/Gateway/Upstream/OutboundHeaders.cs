namespace Gateway.Upstream;

/// <summary>What every call to the upstream carries.</summary>
internal static class OutboundHeaders
{
    public static void Set(HttpRequestMessage request, Credential credential)
    {
        request.Headers.TryAddWithoutValidation("Authorization", credential.HeaderValue);
        // The bytes go on as they come, so they must come as they are.
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        request.Headers.TryAddWithoutValidation("User-Agent", "Gateway");
    }
}
