using Gateway.Callers;
using Gateway.Edge;
using Gateway.Problems;
using Microsoft.Extensions.Options;

namespace Gateway.Admin;

/// <summary>
/// Admits requests for <c>/admin</c>. Such a request needs an operator's key, and must use the management port if the
/// port is configured.
/// </summary>
internal sealed class OperatorGate(Identification callers, IOptionsMonitor<ManagementOptions> management)
{
    private readonly int _managementPort = management.CurrentValue.Port;

    /// <summary>Answers an operator. Any other caller gets a problem.</summary>
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
            : new Problem(CallerProblems.OperatorRequired, "This credential belongs to a team, not to an operator.");
    }
}
