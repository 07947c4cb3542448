using System.Net.Http.Headers;
using System.Text;
using Gateway.Problems;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Routes;

/// <summary>
/// Copies the listed parts of a request to the upstream, and the listed parts of its answer to the caller.
/// </summary>
internal sealed class RouteTransformer(
    ForwardedRoute route, Uri baseAddress, string account, Credential credential, TimeProvider clock,
    Func<UpstreamAnswer, ValueTask> onHeaders) : HttpTransformer
{
    private static readonly string[] RequestHeaders = [
        "Accept", "Accept-Language", "If-None-Match", "If-Modified-Since"];

    /// <summary>The upstream's answer: only the status of a success, and the details of a failure.</summary>
    public UpstreamAnswer Answer { get; private set; }

    /// <summary>Whether the answer was cut short because it held the credential.</summary>
    public bool HasEcho { get; private set; }

    public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest,
        string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.RequestUri = new Uri(baseAddress.AbsoluteUri.TrimEnd('/') + route.TargetOf(httpContext));
        foreach (var name in RequestHeaders)
        {
            // The HTTP client fails on other values, which would count as a failure of the upstream.
            foreach (var value in httpContext.Request.Headers[name])
            {
                if (value is not null && IsPlain(value)) proxyRequest.Headers.TryAddWithoutValidation(name, value);
            }
        }
        OutboundHeaders.Set(proxyRequest, account, credential);
        return default;
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null) return false;
        // The forwarder has copied the upstream's reason phrase.
        httpContext.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
        var status = (int)proxyResponse.StatusCode;
        Answer = status switch
        {
            304 or (>= 200 and < 300) when HasEchoIn(proxyResponse.Headers)
                || HasEchoIn(proxyResponse.Content.Headers) =>
                UpstreamAnswer.Failed(UpstreamFault.EchoedCredential, status),
            304 => new UpstreamAnswer(status, [], null, UpstreamFault.None),
            >= 200 and < 300
                when proxyResponse.Content.Headers.ContentEncoding.Any(
                    coding => !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
                => UpstreamAnswer.Failed(UpstreamFault.Encoded, status),
            >= 200 and < 300 => new UpstreamAnswer(status, [], null, UpstreamFault.None),
            _ => await UpstreamErrors.ReadAsync(proxyResponse, credential, clock, cancellationToken),
        };
        if (Answer is not { Fault: UpstreamFault.None, Status: 304 or (>= 200 and < 300) }) return false;

        await onHeaders(Answer);
        var response = httpContext.Response;
        foreach (var name in route.ResponseHeaders)
        {
            if (proxyResponse.Headers.TryGetValues(name, out var values)
                || proxyResponse.Content.Headers.TryGetValues(name, out values))
            {
                response.Headers[name] = values.Where(IsPlain).ToArray();
            }
        }
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = Answers.Vary;
        if (status is 204 or 205 or 304)
        {
            // These answers have no body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5). Drop what the upstream sends.
            proxyResponse.Content.Dispose();
            proxyResponse.Content = new ByteArrayContent([]);
            return true;
        }
        response.ContentLength = proxyResponse.Content.Headers.ContentLength;
        proxyResponse.Content =
            new StreamContent(new EchoGuard(
                await proxyResponse.Content.ReadAsStreamAsync(cancellationToken), credential, () => HasEcho = true));
        return true;
    }

    public override ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken) => default;

    // The characters that both sides accept in a header (RFC 9110, section 5.5).
    private static bool IsPlain(string value) => value.All(c => c is >= ' ' and <= '~' or '\t');

    // A header that is not passed on cannot leak the credential.
    private bool HasEchoIn(HttpHeaders headers)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            if (!route.Returns(name)) continue;
            foreach (var value in values)
            {
                if (credential.IsIn(Encoding.UTF8.GetBytes(value))) return true;
            }
        }
        return false;
    }
}
