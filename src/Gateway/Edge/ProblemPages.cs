using Gateway.Problems;

namespace Gateway.Edge;

/// <summary>The pages that describe the problem types, with advice for clients.</summary>
internal static class ProblemPages
{
    public static void MapProblemTypes(this WebApplication app)
    {
        var catalog = app.Services.GetRequiredService<ProblemCatalog>();
        app.MapGet("/problems/{slug}", (string slug) =>
            catalog.All.FirstOrDefault(type => type.Slug == slug) is { } known
                ? Results.Text($"{known.Title}\n\nStatus: {known.Status}\nType: {known.Uri}\n\n{known.Advice}\n")
                : Results.NotFound()).ExcludeFromDescription();
    }
}
