namespace Gateway.Routes;

/// <summary>One operation of the upstream that is let through.</summary>
/// <param name="Name">As the configuration calls it, and as teams are allowed it.</param>
internal sealed record ForwardedRoute(string Name, RouteTemplate Template, ForwardedRouteOptions Options)
{
    private static readonly string[] OwnHeaders = ["Content-Type", "ETag", "Last-Modified"];

    private readonly string[] _workflows = [.. Template.Parameters.Where(NamesWorkflow)];

    public static ForwardedRoute[] Of(Dictionary<string, ForwardedRouteOptions> routes) =>
        [.. routes.OrderBy(route => route.Key, StringComparer.Ordinal)
            .Select(route => new ForwardedRoute(route.Key, RouteTemplate.Parse(route.Value.Path), route.Value))];

    /// <summary>Whether a parameter is a workflow, however it is spelt: workflow_id, workflowId, wf-id.</summary>
    public static bool NamesWorkflow(string parameter) =>
        string.Concat(parameter.Where(char.IsAsciiLetterOrDigit)).ToUpperInvariant() is "WORKFLOW" or "WORKFLOWS"
            or "WORKFLOWID" or "WORKFLOWIDS" or "WFID";

    /// <summary>The workflows that a request is about, each of which its team must be allowed, too.</summary>
    public string[] WorkflowsOf(HttpContext http) =>
        _workflows.Length == 0 ? [] : Array.ConvertAll(_workflows, name => Value(http, name));

    /// <summary>Response headers that go on to the caller.</summary>
    public IEnumerable<string> ResponseHeaders => OwnHeaders.Concat(Options.ResponseHeaders);

    /// <summary>Whether a response header goes on to the caller.</summary>
    public bool Returns(string header) => ResponseHeaders.Contains(header, StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The path to ask for, with the values of a request, and those of its query parameters that go on.
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
