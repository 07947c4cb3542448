namespace Simulator;

internal enum FaultKind
{
    /// <summary>The given status, with the documented error envelope or with the given body.</summary>
    Status,

    /// <summary>The normal answer, late.</summary>
    Delay,

    /// <summary>The connection is aborted before the first byte of an answer.</summary>
    Reset,

    /// <summary>The whole length is announced, half of the body is sent, and the connection is closed.</summary>
    Cut,

    /// <summary>A well-framed 200 whose JSON stops in the middle.</summary>
    Truncate,

    /// <summary>A load balancer's page instead of JSON.</summary>
    Html,

    /// <summary>The normal body under another <c>id</c>.</summary>
    WrongId,

    /// <summary>The normal body under another <c>workflow_id</c>.</summary>
    WrongWorkflow,

    /// <summary>The answer holds the credential in a task's <c>err_msg</c>, or in the error envelope.</summary>
    EchoCredential,

    /// <summary>A job of 64 MB.</summary>
    Huge,

    /// <summary>No answer until the client disconnects or the server stops.</summary>
    Hang,
}
