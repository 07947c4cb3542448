namespace Gateway.Problems;

/// <summary>The result of the request path: a job or a problem.</summary>
internal interface IAnswer
{
    /// <summary>The HTTP status, once written.</summary>
    int Status { get; }

    ValueTask WriteAsync(HttpContext http);
}

internal static class Answers
{
    /// <summary>The request headers that an answer about a job depends on.</summary>
    public const string Vary = "Authorization, X-Api-Key, Cookie, X-CSRF, Origin, Accept-Encoding";

    /// <summary>The same for a problem, which a browser that navigates gets as a page.</summary>
    public const string VaryOfProblems = $"{Vary}, Accept";

    /// <summary>The same for an operation that shows less if the caller prefers it.</summary>
    public const string VaryWithPrefer = $"{Vary}, Prefer";
}
