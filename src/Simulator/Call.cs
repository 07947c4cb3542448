namespace Simulator;

/// <summary>One call to the documented operation.</summary>
/// <param name="At">When it arrived.</param>
/// <param name="WorkflowId">The workflow id as asked for.</param>
/// <param name="JobId">The job id as asked for.</param>
/// <param name="Protocol"><c>HTTP/1.1</c> or <c>HTTP/2</c>.</param>
/// <param name="Status">The status answered; 0 when the call never got one.</param>
/// <param name="RequestHeaders">By name in any case, without <c>Authorization</c>.</param>
internal sealed record Call(
    DateTimeOffset At,
    string WorkflowId,
    string JobId,
    string Protocol,
    int Status,
    IReadOnlyDictionary<string, string> RequestHeaders);
