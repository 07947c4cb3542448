namespace Gateway.Routes;

/// <summary>One operation of the upstream that is let through.</summary>
/// <param name="Name">As the configuration calls it, and as teams are allowed it.</param>
internal sealed record ForwardedRoute(string Name, RouteTemplate Template, ForwardedRouteOptions Options)
{
    private const string WorkflowParameter = "workflow_id";

    public static ForwardedRoute[] Of(Dictionary<string, ForwardedRouteOptions> routes) =>
        [.. routes.OrderBy(route => route.Key, StringComparer.Ordinal).Select(route => new ForwardedRoute(route.Key, RouteTemplate.Parse(route.Value.Path), route.Value))];

    /// <summary>The workflow that a request is about, which its team must be allowed, too; null: it is about none.</summary>
    public string? WorkflowOf(HttpContext http) => Template.Parameters.Contains(WorkflowParameter, StringComparer.Ordinal) ? Value(http, WorkflowParameter) : null;

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
