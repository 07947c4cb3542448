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
    ForwardedRoute route, Uri baseAddress, string account, Credential credential, AnswerReferences references,
    TimeProvider clock, Func<UpstreamAnswer, ValueTask> onHeaders) : HttpTransformer
{
    private const string Range = "Range", IfRange = "If-Range", Location = "Location";

    private static readonly string[] Conditions = ["Accept", "Accept-Language", "If-None-Match", "If-Modified-Since"];

    private ByteRange? _range;
    private ReferenceMap.Origin _origin;

    /// <summary>The request headers that the upstream gets, as far as they change its answer.</summary>
    public static IEnumerable<string> RequestHeaders { get; } = [.. Conditions, Range, IfRange];

    /// <summary>The upstream's answer: only the status of a success, and the details of a failure.</summary>
    public UpstreamAnswer Answer { get; private set; }

    /// <summary>Whether the caller gets the answer.</summary>
    public bool IsPassed { get; private set; }

    /// <summary>Whether the answer was cut short because it held the credential.</summary>
    public bool HasEcho { get; private set; }

    /// <summary>Whether the caller's range is beyond the end.</summary>
    public bool IsBeyondEnd { get; private set; }

    /// <summary><c>Content-Range</c> if the caller's range is beyond the end; null: it is unknown.</summary>
    public string? SizeAlone { get; private set; }

    // A credential that begins before a range, or ends after it, is found within this many bytes.
    private int Margin => credential.MaxEchoLength;

    public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest,
        string destinationPrefix, CancellationToken cancellationToken)
    {
        var address = new Uri(baseAddress.AbsoluteUri.TrimEnd('/') + route.TargetOf(httpContext));
        proxyRequest.RequestUri = address;
        // Many APIs do not know HEAD. The gateway leaves out the body itself.
        proxyRequest.Method = HttpMethod.Get;
        _origin = new ReferenceMap.Origin(route, baseAddress, address, httpContext.Request.Path.Value ?? "/");
        var headers = httpContext.Request.Headers;
        foreach (var name in Conditions) Copy(name);
        // A range is defined for GET alone (RFC 9110, section 14.2).
        if (!HttpMethods.IsHead(httpContext.Request.Method) && headers.Range is [{ } asked]
            && ByteRange.TryParse(asked, out var range))
        {
            _range = range;
            proxyRequest.Headers.TryAddWithoutValidation(Range, range.Widened(Margin));
            Copy(IfRange);
        }
        OutboundHeaders.Set(proxyRequest, account, credential);
        return default;

        void Copy(string name)
        {
            // The HTTP client fails on other values, which would count as a failure of the upstream.
            foreach (var value in headers[name])
            {
                if (value is not null && IsPlain(value)) proxyRequest.Headers.TryAddWithoutValidation(name, value);
            }
        }
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null) return false;
        // The forwarder has copied the upstream's reason phrase.
        httpContext.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
        var (status, content) = ((int)proxyResponse.StatusCode, proxyResponse.Content);
        var isRedirect = status is 301 or 302 or 303 or 307 or 308;
        var slice = status == 206 ? _range?.FindIn(content.Headers.ContentRange, Margin) : null;
        var target = isRedirect && !HasEchoIn(proxyResponse) ? RedirectTarget(proxyResponse) : null;
        Answer = await ReadAsync(proxyResponse, isRedirect, slice, cancellationToken);
        (IsBeyondEnd, SizeAlone) = (status, slice) switch
        {
            (206, { Length: 0 }) => (true, slice.Value.ContentRange),
            (416, _) when _range is not null => (true, SizeIn(content.Headers.ContentRange)),
            _ => (false, null),
        };
        IsPassed = Answer.Fault == UpstreamFault.None && !IsBeyondEnd
            && (status is 304 or (>= 200 and < 300) || target is not null);
        if (!IsPassed) return false;

        await onHeaders(Answer);
        var response = httpContext.Response;
        CopyHeaders(proxyResponse, response.Headers);
        if (target is not null) response.Headers.Location = target;
        if (slice is not null)
        {
            response.Headers.ContentRange = slice.Value.ContentRange;
            // The upstream computed these of its wider answer.
            response.Headers.Remove("Content-Digest");
            response.Headers.ContentMD5 = default;
        }
        else if (status == 206) response.Headers.ContentRange = content.Headers.ContentRange?.ToString();
        response.Headers.CacheControl = "no-store";
        response.Headers.Vary = Answers.Vary;
        var hasNoBody = isRedirect || status is 204 or 205 or 304;
        if (hasNoBody || HttpMethods.IsHead(httpContext.Request.Method))
        {
            // These answers have no body (RFC 9110, sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5). Drop what the upstream
            // sends. The body of a redirect repeats its target in the upstream's words.
            if (!hasNoBody) response.ContentLength = content.Headers.ContentLength;
            content.Dispose();
            proxyResponse.Content = new ByteArrayContent([]);
            if (isRedirect) response.Headers.ContentType = default;
            if (isRedirect) response.ContentLength = 0;
            return true;
        }
        response.ContentLength = slice?.Length ?? content.Headers.ContentLength;
        // A body of a known length can still be replaced with a problem if it does not begin. A stream cannot wait.
        Func<Task>? flush = response.ContentLength is null ? () => response.Body.FlushAsync(cancellationToken) : null;
        proxyResponse.Content = new StreamContent(new EchoGuard(
            await content.ReadAsStreamAsync(cancellationToken), credential, () => HasEcho = true, slice, flush));
        return true;
    }

    public override ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken) => default;

    private async ValueTask<UpstreamAnswer> ReadAsync(
        HttpResponseMessage response, bool isRedirect, ByteRange.Slice? slice, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        if (!isRedirect && status is not (304 or (>= 200 and < 300)))
        {
            return await UpstreamErrors.ReadAsync(response, credential, clock, cancellation);
        }
        var fault = HasEchoIn(response) ? UpstreamFault.EchoedCredential
            : status is < 200 or >= 300 ? UpstreamFault.None
            : response.Content.Headers.ContentEncoding.Any(
                coding => !coding.Equals("identity", StringComparison.OrdinalIgnoreCase)) ? UpstreamFault.Encoded
            : status == 206 && _range is not null && slice is null ? UpstreamFault.WrongRange
            : UpstreamFault.None;
        return new UpstreamAnswer(status, [], null, fault);
    }

    private void CopyHeaders(HttpResponseMessage from, IHeaderDictionary to)
    {
        foreach (var name in route.ResponseHeaders)
        {
            if (from.Headers.NonValidated.TryGetValues(name, out var values)
                || from.Content.Headers.NonValidated.TryGetValues(name, out values))
            {
                to[name] = references.Pass(name, values.Where(IsPlain), _origin);
            }
        }
    }

    private string? RedirectTarget(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues(Location, out var values)
            ? references.PassRedirect([.. values], _origin) : null;

    private static string? SizeIn(ContentRangeHeaderValue? range) =>
        range is { Unit: "bytes", HasRange: false, Length: { } size } ? $"bytes */{size}" : null;

    // The characters that both sides accept in a header (RFC 9110, section 5.5).
    private static bool IsPlain(string value) => value.All(c => c is >= ' ' and <= '~' or '\t');

    private bool HasEchoIn(HttpResponseMessage response) =>
        HasEchoIn(response.Headers) || HasEchoIn(response.Content.Headers);

    // A header that is not passed on cannot leak the credential.
    private bool HasEchoIn(HttpHeaders headers)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            if (!route.Returns(name) && !name.Equals(Location, StringComparison.OrdinalIgnoreCase)) continue;
            foreach (var value in values)
            {
                if (credential.IsIn(Encoding.UTF8.GetBytes(value))) return true;
            }
        }
        return false;
    }
}
