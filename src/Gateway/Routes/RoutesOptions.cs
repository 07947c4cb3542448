namespace Gateway.Routes;

/// <summary>Further operations of the upstream that callers may use, by the name that teams refer to.</summary>
internal sealed record RoutesOptions(Dictionary<string, ForwardedRouteOptions> All);
