namespace Gateway.Callers.Tokens;

/// <summary>
/// The two origins of a provider that the gateway reaches by another name than browsers do, such as within a cluster.
/// The gateway calls the inner one, and sends browsers to the outer one, whichever of them the provider publishes.
/// </summary>
/// <param name="outer">The origin of the issuer.</param>
/// <param name="inner">The origin at which the gateway reaches the provider.</param>
internal sealed class ProviderOrigins(Uri outer, Uri inner)
{
    /// <summary>Returns the address to which the gateway sends a request.</summary>
    public Uri ForGateway(Uri address) => Move(address, outer, inner);

    /// <summary>Returns the address to which the gateway sends a browser.</summary>
    public string? ForBrowser(string? address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) ? Move(uri, inner, outer).AbsoluteUri : address;

    /// <summary>Creates a handler that sends requests to the inner origin.</summary>
    public HttpMessageHandler Wrap(HttpMessageHandler handler) => new Handler(this, handler);

    private static Uri Move(Uri address, Uri from, Uri to) => IsSame(address, from)
        ? new UriBuilder(address) { Scheme = to.Scheme, Host = to.Host, Port = to.Port }.Uri : address;

    private static bool IsSame(Uri one, Uri other) => Uri.Compare(
        one, other, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;

    private sealed class Handler(ProviderOrigins origins, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.RequestUri = origins.ForGateway(request.RequestUri!);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
