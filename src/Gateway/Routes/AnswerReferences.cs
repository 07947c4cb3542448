using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Routes;

/// <summary>
/// Passes the header fields of an answer whose values are references, or may hold one. References that callers do not
/// get are counted, and the first of each kind is logged.
/// </summary>
internal sealed partial class AnswerReferences(
    ForwardedRoutes routes, IMeterFactory meters, ILogger<AnswerReferences> logger)
{
    // The whole value of each of these is a reference. Other fields hold one if their value is an absolute URL.
    private static readonly string[] Fields =
        ["Location", "Content-Location", "Operation-Location", "Azure-AsyncOperation", "SourceMap", "X-SourceMap"];

    private readonly ReferenceMap _map = new(routes.All);
    private readonly ConcurrentDictionary<(string Route, string Header, string Reason), bool> _logged = new();

    private readonly Counter<long> _dropped = meters.CreateGateway().CreateCounter<long>(
        "gateway.route.dropped_references", "{reference}",
        "References in header fields of the upstream that callers of routes did not get, by reason");

    /// <summary>The values of a header field as the caller gets them.</summary>
    public string[] Pass(string header, IEnumerable<string> values, ReferenceMap.Origin from) =>
        ForwardedRoute.IsOwn(header) ? [.. values]
            : [.. values.Select(value => PassOne(header, value, from)).OfType<string>()];

    /// <summary>The target of a redirect as the caller gets it; null: the redirect is not passed.</summary>
    public string? PassRedirect(string[] locations, in ReferenceMap.Origin from)
    {
        if (locations.Length != 1) return Drop("Location", new("malformed", "there is not exactly one"), from);
        return _map.Translate(locations[0], from) is Reference.Own { IsSame: true }
            ? Drop("Location", new("loop", "it redirects to itself"), from)
            : Translate("Location", locations[0], from);
    }

    private string? PassOne(string header, string value, in ReferenceMap.Origin from)
    {
        if (header.Equals("Link", StringComparison.OrdinalIgnoreCase)) return PassLinks(value, from);
        if (header.Equals("Refresh", StringComparison.OrdinalIgnoreCase)) return PassRefresh(value, from);
        if (Fields.Contains(header, StringComparer.OrdinalIgnoreCase) || IsUrl(value))
        {
            return Translate(header, value, from);
        }
        return value.Contains($"//{from.BaseAddress.IdnHost}", StringComparison.OrdinalIgnoreCase)
            ? Drop(header, new("no-route", "its value names the upstream's host"), from) : value;
    }

    private string? PassLinks(string field, in ReferenceMap.Origin from)
    {
        if (LinkHeader.Parse(field) is not { } links)
        {
            return Drop("Link", new("malformed", "it is not as in RFC 8288"), from);
        }
        var passed = new List<string>();
        foreach (var link in links)
        {
            if (link.Parameters.Any(one => one.Name.Equals("imagesrcset", StringComparison.OrdinalIgnoreCase)))
            {
                Drop("Link", new("malformed", "its imagesrcset lists references to images"), from);
            }
            else if (Translate("Link", link.Target, from) is { } target && PassAnchors(link, from) is { } parameters)
            {
                passed.Add(new LinkHeader(target, parameters).ToString());
            }
        }
        return passed.Count == 0 ? null : string.Join(", ", passed);
    }

    // The anchor is the resource to which the link belongs. Without it, the link would belong to the answer.
    private LinkHeader.Parameter[]? PassAnchors(LinkHeader link, in ReferenceMap.Origin from)
    {
        var parameters = link.Parameters.ToArray();
        foreach (ref var parameter in parameters.AsSpan())
        {
            if (!parameter.Name.Equals("anchor", StringComparison.OrdinalIgnoreCase)) continue;
            if (Translate("Link", parameter.Value ?? "", from) is not { } anchor) return null;
            parameter = parameter with { Text = $"anchor=\"{anchor}\"" };
        }
        return parameters;
    }

    // Refresh is no standard, but browsers know it: a number, and perhaps a URL (HTML standard, section 4.2.5.3).
    private string? PassRefresh(string value, in ReferenceMap.Origin from)
    {
        var separator = value.AsSpan().IndexOfAny(';', ',', ' ');
        if (separator < 0 && value.All(char.IsAsciiDigit)) return value;
        var rest = value[(separator + 1)..].TrimStart(' ', ';', ',');
        if (separator < 0 || !rest.StartsWith("url", StringComparison.OrdinalIgnoreCase)
            || rest[3..].TrimStart() is not ['=', .. var reference])
        {
            return Drop("Refresh", new("malformed", "it is no number and URL"), from);
        }
        var target = Translate("Refresh", reference.Trim(' ', '"', '\''), from);
        return target is null ? null : $"{value[..separator]}; url={target}";
    }

    private string? Translate(string header, string reference, in ReferenceMap.Origin from)
    {
        if (ReferenceMap.IsFragment(reference)) return reference;
        return _map.Translate(reference, from) switch
        {
            Reference.Own own => own.Text,
            Reference.Elsewhere other => other.Text,
            Reference.Dropped dropped => Drop(header, dropped, from),
            _ => null,
        };
    }

    private string? Drop(string header, Reference.Dropped dropped, in ReferenceMap.Origin from)
    {
        _dropped.Add(1, new KeyValuePair<string, object?>(MetricTags.Operation, from.Route.Name),
            new KeyValuePair<string, object?>(MetricTags.Error, dropped.Reason));
        if (_logged.TryAdd((from.Route.Name, header, dropped.Reason), true))
        {
            Log.Dropped(logger, from.Route.Name, header, dropped.Why);
        }
        return null;
    }

    private static bool IsUrl(string value) =>
        value.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
        || value.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning,
            "Callers of route {Route} do not get a reference in the upstream's header {Header}: {Why}. This is logged "
            + "once; gateway.route.dropped_references counts all of them")]
        public static partial void Dropped(ILogger logger, string route, string header, string why);
    }
}
