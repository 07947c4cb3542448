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
