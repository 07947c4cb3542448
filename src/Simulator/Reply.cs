using System.IO.Compression;
using Simulator.Jobs;

namespace Simulator;

/// <summary>Creates the answer to an accepted call, as changed by a fault.</summary>
internal static class Reply
{
    private const string LoadBalancerPage = """
        <!DOCTYPE html>
        <html><head><title>Please wait</title></head>
        <body><h1>The application is temporarily unavailable</h1><p>balancer-2</p></body></html>

        """;

    private const int Unset = 503;

    public static Answer To(JobView view, Fault? fault, string credential) => fault switch
    {
        { Kind: FaultKind.Status } => Scripted(fault),
        { Kind: FaultKind.Truncate } => Half(To(view)),
        { Kind: FaultKind.Html } =>
            Answer.Text(fault.Status == Unset ? 200 : fault.Status, LoadBalancerPage, Answer.Html),
        { Kind: FaultKind.WrongId } => To(view with { JobId = $"not-{view.JobId}" }),
        { Kind: FaultKind.WrongWorkflow } => To(view with { WorkflowId = $"not-{view.WorkflowId}" }),
        { Kind: FaultKind.EchoCredential, Status: Unset } =>
            To(view with { ErrorText = $"could not fetch scene list using Authorization: {credential}" }),
        { Kind: FaultKind.EchoCredential } => Answer.Error(fault.Status, $"the key '{credential}' was not understood"),
        _ => To(view),
    };

    private static Answer To(JobView view) => view.State.HttpStatus switch
    {
        200 => Job(view),
        400 when view.Name.UnknownModifier is string modifier => Answer.Error(
            400,
            $"the job id has no modifier '.{modifier}'; known: .{string.Join(" .", JobShape.Known)}",
            JobShape.Known),
        400 => Answer.Error(400, "the job id is not valid"),
        403 => Answer.Error(403, "this key may not read this job"),
        _ => Answer.Error(404, "no such job"),
    };

    private static Answer Job(JobView view)
    {
        JobShape shape = view.Name.Shape;
        bool pending = view.State.Finished is null;
        return new Answer(shape.Accepted && pending ? 202 : 200, Encoded(JobJson.Render(view), shape.Coding))
        {
            Coding = shape.Coding,
            RetryAfter = pending && shape.RetrySeconds is int seconds ? $"{seconds}" : null,
        };
    }

    private static ReadOnlyMemory<byte> Encoded(ReadOnlyMemory<byte> body, string? coding)
    {
        var encoded = new MemoryStream();
        using (Stream? encoding = coding switch
        {
            "gzip" => new GZipStream(encoded, CompressionLevel.Fastest),
            "deflate" => new ZLibStream(encoded, CompressionLevel.Fastest),
            "br" => new BrotliStream(encoded, CompressionLevel.Fastest),
            _ => null,
        })
        {
            if (encoding is null)
                return body;
            encoding.Write(body.Span);
        }
        return encoded.ToArray();
    }

    private static Answer Scripted(Fault fault)
    {
        Answer answer = fault.Body is null
            ? Answer.Error(fault.Status, $"scripted answer {fault.Status}")
            : Answer.Text(fault.Status, fault.Body, fault.Body.StartsWith('<') ? Answer.Html : Answer.Json);
        return answer with { RetryAfter = fault.RetryAfter };
    }

    private static Answer Half(Answer answer) => answer with { Body = answer.Body[..(answer.Body.Length / 2)] };
}
