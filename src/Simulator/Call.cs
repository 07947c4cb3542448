namespace Simulator;

/// <summary>One call to the documented operation.</summary>
/// <param name="At">When the call arrived.</param>
/// <param name="WorkflowId">The requested workflow id.</param>
/// <param name="JobId">The requested job id.</param>
/// <param name="Protocol"><c>HTTP/1.1</c> or <c>HTTP/2</c>.</param>
/// <param name="Status">The status of the answer; 0 if there was no answer.</param>
/// <param name="RequestHeaders">By name in any case, without <c>Authorization</c>.</param>
internal sealed record Call(
    DateTimeOffset At,
    string WorkflowId,
    string JobId,
    string Protocol,
    int Status,
    IReadOnlyDictionary<string, string> RequestHeaders);
