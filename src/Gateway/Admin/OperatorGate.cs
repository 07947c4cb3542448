using Gateway.Callers;
using Gateway.Edge;
using Gateway.Problems;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// Who may use <c>/admin</c>: operators, by their keys, and on the management port where there is one.
/// </summary>
internal sealed class OperatorGate(Identification callers, IOptionsMonitor<ManagementOptions> management)
{
    private readonly int _managementPort = management.CurrentValue.Port;

    /// <summary>Answers an operator, and tells anybody else why not.</summary>
    public async Task AnswerAsync(HttpContext http, Func<Caller, Task<IAnswer>> decide)
    {
        var answer = await AdmitAsync(http, decide);
        await answer.WriteAsync(http);
    }

    private async Task<IAnswer> AdmitAsync(HttpContext http, Func<Caller, Task<IAnswer>> decide)
    {
        if (_managementPort != 0 && http.Connection.LocalPort != _managementPort)
        {
            return new Problem(ProblemType.NotFound, "No operation has this path.");
        }
        var identity = await callers.IdentifyAsync(http);
        if (identity.Caller is not { } caller) return identity.Problem;
        return caller.IsOperator ? await decide(caller)
            : new Problem(CallerProblems.OperatorRequired, "This credential is a team's; operators have keys of their own.");
    }
}
