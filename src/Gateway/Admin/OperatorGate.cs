using Gateway.Callers;
using Gateway.Edge;
using Gateway.Problems;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// Admits requests for <c>/admin</c>. Such a request needs an operator's key, and must use the management port if the
/// port is configured. Each request on that port leaves an audit line.
/// </summary>
internal sealed class OperatorGate(
    Identification callers, Audit audit, IOptionsMonitor<ManagementOptions> management)
{
    private readonly int _managementPort = management.CurrentValue.Port;

    /// <summary>Maps a report about this node that depends on nothing in the request.</summary>
    /// <typeparam name="T">The service that the report describes.</typeparam>
    /// <param name="action">The name of the request in audit lines.</param>
    /// <param name="report">Creates the report, which becomes a JSON object.</param>
    public static void MapReport<T>(WebApplication app, string path, string action, Func<T, object> report)
        where T : notnull
    {
        var gate = app.Services.GetRequiredService<OperatorGate>();
        var subject = app.Services.GetRequiredService<T>();
        app.MapGet(path, AnswerAsync).ExcludeFromDescription();

        Task AnswerAsync(HttpContext http) => gate.AnswerAsync(
            http, action, "node", _ => Task.FromResult<IAnswer>(new JsonAnswer(report(subject))));
    }

    /// <summary>Answers an operator. Any other caller gets a problem.</summary>
    /// <param name="action">What the operator asks for, in audit lines.</param>
    /// <param name="target">What the action is applied to.</param>
    public async Task AnswerAsync(
        HttpContext http, string action, string target, Func<Caller, Task<IAnswer>> decide)
    {
        var answer = await AdmitAsync(http, action, target, decide);
        await answer.WriteAsync(http);
    }

    private async Task<IAnswer> AdmitAsync(
        HttpContext http, string action, string target, Func<Caller, Task<IAnswer>> decide)
    {
        if (_managementPort != 0 && http.Connection.LocalPort != _managementPort)
        {
            return new Problem(ProblemType.NotFound, "No operation has this path.");
        }
        var identity = await callers.IdentifyAsync(http);
        if (identity.Caller is { IsOperator: true } caller)
        {
            caller.Use?.Answered();
            var answer = await decide(caller);
            audit.Note(http, caller.Id, action, target, (answer as Problem)?.Type.Slug);
            return answer;
        }
        var refusal = identity.Caller is null ? identity.Problem
            : new Problem(CallerProblems.OperatorRequired, "This credential belongs to a team, not to an operator.");
        audit.Refuse(http, identity.Caller?.Id, action, target, refusal.Type.Slug);
        return refusal;
    }
}
