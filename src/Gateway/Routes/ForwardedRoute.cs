namespace Gateway.Routes;

/// <summary>One operation of the upstream that is let through.</summary>
/// <param name="Name">As the configuration calls it, and as teams are allowed it.</param>
internal sealed record ForwardedRoute(string Name, RouteTemplate Template, ForwardedRouteOptions Options)
{
    private static readonly string[] OwnHeaders = ["Content-Type", "ETag", "Last-Modified"];

    // However it is spelt: workflow_id, workflowId, wf-id.
    private readonly string? _workflow = Template.Parameters.FirstOrDefault(name =>
        string.Concat(name.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant() is "WORKFLOW" or "WORKFLOWID" or "WFID");

    public static ForwardedRoute[] Of(Dictionary<string, ForwardedRouteOptions> routes) =>
        [.. routes.OrderBy(route => route.Key, StringComparer.Ordinal).Select(route => new ForwardedRoute(route.Key, RouteTemplate.Parse(route.Value.Path), route.Value))];

    /// <summary>The workflow that a request is about, which its team must be allowed, too; null: it is about none.</summary>
    public string? WorkflowOf(HttpContext http) => _workflow is null ? null : Value(http, _workflow);

    /// <summary>Response headers that go on to the caller.</summary>
    public IEnumerable<string> ResponseHeaders => OwnHeaders.Concat(Options.ResponseHeaders);

    /// <summary>Whether a response header goes on to the caller.</summary>
    public bool Returns(string header) => ResponseHeaders.Contains(header, StringComparer.OrdinalIgnoreCase);

    /// <summary>The path to ask for, with the values of a request, and those of its query parameters that go on.</summary>
    public string TargetOf(HttpContext http)
    {
        var query = new QueryString();
        foreach (var name in Options.Query)
        {
            foreach (var value in http.Request.Query[name]) query = query.Add(name, value ?? "");
        }
        return Template.With(name => Value(http, name)) + query;
    }

    public static string Value(HttpContext http, string parameter) => http.GetRouteValue(parameter) as string ?? "";
}
