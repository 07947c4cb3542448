using System.Buffers;
using System.Text;
using Gateway.Jobs;
using Microsoft.AspNetCore.WebUtilities;

namespace Gateway.Routes;

/// <summary>
/// Translates references in the upstream's answers (RFC 3986, section 4.1) for callers. A reference to a route or a job
/// becomes one to the gateway. A reference to another listed host stays as it is. No other reference is passed: callers
/// could not follow it, because they do not have the upstream's credential.
/// </summary>
internal sealed class ReferenceMap
{
    // The characters of a URI. A browser and .NET read other characters in different ways.
    private static readonly SearchValues<char> UriCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%");

    private const int LongestName = 100;

    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly Operation[] _operations;

    public ReferenceMap(ForwardedRoute[] routes) => _operations =
    [
        .. routes.Select(route => new Operation(route.Template, [.. route.Options.Query])),
        new(RouteTemplate.Parse(JobAddress.Route), []),
        // Other operations of the gateway have paths that mean something else at the upstream, if anything.
        .. ((string[])[JobAddress.EventsRoute, JobAddress.ManyEventsRoute, JobAddress.ManyRoute])
            .Select(own => new Operation(RouteTemplate.Parse(own), null)),
    ];

    /// <summary>Whether a reference stays within the answer that holds it.</summary>
    public static bool IsFragment(string reference) =>
        reference.StartsWith('#') && !reference.AsSpan().ContainsAnyExcept(UriCharacters);

    /// <param name="reference">The reference as the upstream sent it.</param>
    /// <param name="from">The request whose answer holds the reference.</param>
    public Reference Translate(string reference, in Origin from)
    {
        if (reference.AsSpan().ContainsAnyExcept(UriCharacters) || !Uri.TryCreate(from.Asked, reference, out var target)
            || target.UserInfo.Length > 0)
        {
            return new Reference.Dropped("malformed", "it is not a reference that every client reads in the same way");
        }
        if (target.Scheme != Uri.UriSchemeHttp && target.Scheme != Uri.UriSchemeHttps)
        {
            return new Reference.Dropped("host", $"its scheme is {target.Scheme}");
        }
        if (IsUpstream(target, from.BaseAddress)) return ToGateway(target, from);
        var host = target.HostNameType == UriHostNameType.IPv6 ? target.Host : target.IdnHost;
        if (target.Scheme != Uri.UriSchemeHttps || !from.Route.Options.OtherHosts.Exists(other =>
            other.Equals($"{host}:{target.Port}", StringComparison.OrdinalIgnoreCase)
            || (target.IsDefaultPort && other.Equals(host, StringComparison.OrdinalIgnoreCase))))
        {
            return new Reference.Dropped("host", $"{target.Scheme}://{host}:{target.Port} is not https, "
                + $"or is not under Routes:{from.Route.Name}:OtherHosts");
        }
        return new Reference.Elsewhere(
            reference.StartsWith("//", StringComparison.Ordinal) ? $"https:{reference}" : reference);
    }

    // Servers behind a proxy often name the other scheme in their references.
    private static bool IsUpstream(Uri target, Uri baseAddress) =>
        target.IdnHost.TrimEnd('.').Equals(baseAddress.IdnHost.TrimEnd('.'), StringComparison.OrdinalIgnoreCase)
        && (target.Port == baseAddress.Port || (target.IsDefaultPort && baseAddress.IsDefaultPort));

    private Reference ToGateway(Uri target, in Origin from)
    {
        var basePath = from.BaseAddress.AbsolutePath.TrimEnd('/');
        var path = target.AbsolutePath;
        if (!path.StartsWith(basePath + '/', StringComparison.Ordinal)
            || Find(path[(basePath.Length + 1)..].Split('/')) is not { Query: { } passed })
        {
            return new Reference.Dropped("no-route", "it leads to something of the upstream that is no route");
        }
        foreach (var parameter in new QueryStringEnumerable(target.Query))
        {
            if (!passed.Contains(parameter.DecodeName().ToString(), StringComparer.Ordinal))
            {
                // The encoded name has no character that could forge a line of the log.
                var name = parameter.EncodedName[..Math.Min(parameter.EncodedName.Length, LongestName)];
                return new Reference.Dropped("query", $"the operation passes no query parameter '{name}'");
            }
        }
        var query = QueryHelpers.ParseQuery(target.Query);
        if (!IsText(target.Query)) return new Reference.Dropped("query", "its query is no UTF-8 text");
        var again = new QueryString();
        foreach (var name in passed)
        {
            foreach (var value in query.GetValueOrDefault(name)) again = again.Add(name, value ?? "");
        }
        var isSame = from.Asked.AbsolutePath == path && from.Asked.Query == again.ToString();
        return new Reference.Own(
            Relative(from.Path, path[basePath.Length..]) + target.Query + target.Fragment, isSame);
    }

    /// <summary>Finds the operation that routing takes for a path: literal segments come before parameters.</summary>
    private Operation? Find(string[] segments)
    {
        var found = _operations.Where(operation => operation.Fits(segments))
            .MinBy(operation => operation.Precedence, StringComparer.Ordinal);
        return found?.IsExactly(segments) == true ? found : null;
    }

    /// <summary>
    /// A relative reference between two paths. It is also right behind proxies that change the beginning of paths.
    /// </summary>
    private static string Relative(string from, string to)
    {
        var (here, there) = (from[1..].Split('/')[..^1], to[1..].Split('/'));
        var common = 0;
        while (common < Math.Min(here.Length, there.Length - 1) && here[common] == there[common]) common++;
        return string.Concat(Enumerable.Repeat("../", here.Length - common)) + string.Join('/', there[common..]);
    }

    // The gateway decodes a query and encodes it again. Bytes that are no text would change.
    private static bool IsText(string query)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < query.Length; i++)
        {
            var isEncoded = Uri.IsHexEncoding(query, i);
            bytes.Add(isEncoded ? Convert.ToByte(query.Substring(i + 1, 2), 16) : (byte)query[i]);
            if (isEncoded) i += 2;
        }
        try
        {
            return Utf8.GetCharCount([.. bytes]) >= 0;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>The request whose answer holds references.</summary>
    /// <param name="Asked">The address that the gateway asked the upstream for.</param>
    /// <param name="Path">The path that the caller asked the gateway for.</param>
    public readonly record struct Origin(ForwardedRoute Route, Uri BaseAddress, Uri Asked, string Path);

    /// <param name="Query">The query parameters that are passed on; null: they do not reach the upstream.</param>
    private sealed record Operation(RouteTemplate Template, string[]? Query)
    {
        public string Precedence { get; } =
            string.Concat(Template.Segments.Select(segment => segment.IsParameter ? '1' : '0'));

        public bool Fits(string[] path) => path.Length == Template.Segments.Length
            && Template.Segments.Zip(path, (segment, text) =>
                segment.IsParameter || segment.Text.Equals(text, StringComparison.OrdinalIgnoreCase)).All(fits => fits);

        // The gateway sends literal segments as the template has them, and refuses other parameters than identifiers.
        public bool IsExactly(string[] path) => Template.Segments.Zip(path, (segment, text) =>
            segment.IsParameter ? JobAddress.IsIdentifier(text) : segment.Text == text).All(isSame => isSame);
    }
}

/// <summary>A reference in the upstream's answer, as far as it concerns a caller.</summary>
internal abstract record Reference
{
    /// <summary>A reference to a route or a job of the gateway.</summary>
    /// <param name="Text">The relative reference.</param>
    /// <param name="IsSame">Whether it leads to the very request whose answer holds it.</param>
    public sealed record Own(string Text, bool IsSame) : Reference;

    /// <summary>A reference to another host that the route lists.</summary>
    public sealed record Elsewhere(string Text) : Reference;

    /// <summary>A reference that callers do not get.</summary>
    /// <param name="Reason">The value in metrics.</param>
    /// <param name="Why">The explanation in the log.</param>
    public sealed record Dropped(string Reason, string Why) : Reference;
}
