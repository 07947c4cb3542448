using System.Diagnostics.CodeAnalysis;
using System.Text;
using Gateway.Jobs;

namespace Gateway.Routes;

/// <summary>
/// A path of literal segments and parameters in braces, as in OpenAPI. A parameter is a whole segment.
/// </summary>
internal sealed record RouteTemplate(string Text, RouteTemplate.Segment[] Segments)
{
    public const string Form =
        "must be a path such as /v0/workflows/{workflow_id}: literal segments, and parameters that are a whole segment";

    /// <summary>The template without parameter names. Templates for the same paths have the same shape.</summary>
    public string Shape { get; } = string.Concat(
        Segments.Select(segment => segment.IsParameter ? "/{}" : $"/{segment.Text}"));

    public IEnumerable<string> Parameters =>
        Segments.Where(segment => segment.IsParameter).Select(segment => segment.Text);

    /// <exception cref="ArgumentException">The text is not a path template.</exception>
    public static RouteTemplate Parse(string text) =>
        TryParse(text, out var template, out var problem)
            ? template : throw new ArgumentException(problem, nameof(text));

    public static bool TryParse(string text, [NotNullWhen(true)] out RouteTemplate? template, out string problem)
    {
        template = null;
        problem = Form;
        if (text.Length < 2 || text[0] != '/') return false;
        var segments = new List<Segment>();
        foreach (var part in text[1..].Split('/'))
        {
            var isParameter = part.Length > 2 && part[0] == '{' && part[^1] == '}';
            var name = isParameter ? part[1..^1] : part;
            if (isParameter ? !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
                : !JobAddress.IsIdentifier(name))
            {
                return false;
            }
            segments.Add(new Segment(name, isParameter));
        }
        template = new RouteTemplate(text, [.. segments]);
        problem = template.Parameters.Count() == template.Parameters.Distinct(StringComparer.OrdinalIgnoreCase).Count()
            ? "" : "names a parameter twice";
        return problem.Length == 0;
    }

    /// <summary>Returns the path with values in place of the parameters.</summary>
    public string With(Func<string, string> valueOf)
    {
        var path = new StringBuilder();
        foreach (var segment in Segments)
        {
            path.Append('/').Append(segment.IsParameter ? valueOf(segment.Text) : segment.Text);
        }
        return path.ToString();
    }

    /// <param name="Text">The literal text, or the name of the parameter.</param>
    public readonly record struct Segment(string Text, bool IsParameter);
}
