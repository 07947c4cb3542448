namespace Simulator;

internal enum FaultKind
{
    /// <summary>A status of choice with the documented error envelope, or with a body of choice.</summary>
    Status,

    /// <summary>The normal answer, late.</summary>
    Delay,

    /// <summary>The connection is aborted before the first byte of an answer.</summary>
    Reset,

    /// <summary>The whole length is announced, half of the body is sent, the connection is aborted.</summary>
    Cut,

    /// <summary>A well-framed 200 whose JSON stops in the middle.</summary>
    Truncate,

    /// <summary>A load balancer's page instead of JSON.</summary>
    Html,

    /// <summary>The normal body under another <c>id</c>.</summary>
    WrongId,

    /// <summary>The normal body under another <c>workflow_id</c>.</summary>
    WrongWorkflow,

    /// <summary>The credential comes back in a task's <c>err_msg</c>, or in the message of an error envelope.</summary>
    EchoCredential,

    /// <summary>A job of valid-looking JSON that goes on for 64 MB.</summary>
    Huge,

    /// <summary>No answer until the client goes away or the server stops.</summary>
    Hang,
}
