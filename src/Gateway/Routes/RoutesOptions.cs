namespace Gateway.Routes;

/// <summary>Other operations of the upstream that are let through, by a name that teams refer to.</summary>
internal sealed record RoutesOptions(Dictionary<string, ForwardedRouteOptions> All);
