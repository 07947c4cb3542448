namespace Gateway.Routes;

/// <summary>One further operation of the upstream that callers may use.</summary>
/// <param name="Name">The name in the configuration, to which teams refer.</param>
internal sealed record ForwardedRoute(string Name, RouteTemplate Template, ForwardedRouteOptions Options)
{
    private static readonly string[] OwnHeaders = ["Content-Type", "ETag", "Last-Modified", "Accept-Ranges"];

    private readonly string[] _workflows = [.. Template.Parameters.Where(NamesWorkflow)];

    public static ForwardedRoute[] Of(Dictionary<string, ForwardedRouteOptions> routes) =>
        [.. routes.OrderBy(route => route.Key, StringComparer.Ordinal)
            .Select(route => new ForwardedRoute(route.Key, RouteTemplate.Parse(route.Value.Path), route.Value))];

    /// <summary>Whether a parameter names a workflow, in any common spelling: workflow_id, workflowId, wf-id.</summary>
    public static bool NamesWorkflow(string parameter) =>
        string.Concat(parameter.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant() is "WORKFLOW" or "WORKFLOWS"
            or "WORKFLOWID" or "WORKFLOWIDS" or "WFID";

    /// <summary>
    /// Whether a header is passed for every route. These headers hold names, such as a profile, but no references.
    /// </summary>
    public static bool IsOwn(string header) => OwnHeaders.Contains(header, StringComparer.OrdinalIgnoreCase);

    /// <summary>The workflows that a request names. The team must be allowed each of them.</summary>
    public string[] WorkflowsOf(HttpContext http) =>
        _workflows.Length == 0 ? [] : Array.ConvertAll(_workflows, name => Value(http, name));

    /// <summary>The response headers that are passed to the caller.</summary>
    public IEnumerable<string> ResponseHeaders => OwnHeaders.Concat(Options.ResponseHeaders);

    /// <summary>Whether a response header is passed to the caller.</summary>
    public bool Returns(string header) =>
        ResponseHeaders.Append("Content-Range").Contains(header, StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The upstream's path with the values of a request, and the query parameters that are passed on.
    /// </summary>
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
