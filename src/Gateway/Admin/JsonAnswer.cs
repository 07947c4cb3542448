using Gateway.Problems;

namespace Gateway.Admin;

/// <summary>A report for operators, as JSON.</summary>
internal sealed class JsonAnswer(object body) : IAnswer
{
    public int Status => StatusCodes.Status200OK;

    public async ValueTask WriteAsync(HttpContext http)
    {
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsJsonAsync(body, http.RequestAborted);
    }
}
