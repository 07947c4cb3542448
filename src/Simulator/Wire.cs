using System.Text;
using System.Text.Json;

namespace Simulator;

/// <summary>Sends answers, and simulates failures of the connection.</summary>
internal static class Wire
{
    private const int HugeBytes = 64 * 1024 * 1024;

    public static async Task SendAsync(HttpContext context, Answer answer, CancellationToken gone)
    {
        Begin(context, answer);
        if (answer.Status is 204 or 205 or 304)
            return;
        context.Response.ContentLength = answer.Body.Length;
        await context.Response.Body.WriteAsync(answer.Body, gone);
    }

    /// <summary>Announces the whole body and sends half of it.</summary>
    /// <remarks>
    /// The server closes the connection after sending the written bytes, because the response is incomplete. An abort
    /// could discard these bytes, and most clients would not see the beginning of the answer.
    /// </remarks>
    public static async Task CutAsync(HttpContext context, Answer answer, CancellationToken gone)
    {
        Begin(context, answer);
        context.Response.ContentLength = answer.Body.Length;
        await context.Response.Body.WriteAsync(answer.Body[..(answer.Body.Length / 2)], gone);
        await context.Response.Body.FlushAsync(gone);
    }

    /// <summary>Sends a job with tasks of 64 MB in all.</summary>
    public static async Task SendHugeAsync(HttpContext context, string workflowId, string jobId, CancellationToken gone)
    {
        string ids = $"\"id\":\"{JsonEscaped(jobId)}\",\"workflow_id\":\"{JsonEscaped(workflowId)}\"";
        byte[] head = Encoding.UTF8.GetBytes($"{{{ids},\"status\":\"completed\",\"progress\":\"100\",\"tasks\":[{{}}");
        byte[] tasks = Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Repeat(",{\"name\":\"ingest\",\"status\":\"completed\",\"progress\":100}", 1000)));

        context.Response.ContentType = Answer.Json;
        await context.Response.Body.WriteAsync(head, gone);
        for (long sent = head.Length; sent + tasks.Length < HugeBytes; sent += tasks.Length)
            await context.Response.Body.WriteAsync(tasks, gone);
        await context.Response.Body.WriteAsync("]}"u8.ToArray(), gone);
    }

    /// <summary>Keeps the client waiting until the client disconnects or the server stops.</summary>
    public static async Task HangAsync(HttpContext context, CancellationToken gone)
    {
        await Task.Delay(Timeout.Infinite, gone).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        context.Abort();
    }

    private static void Begin(HttpContext context, Answer answer)
    {
        HttpResponse response = context.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        if (answer.Coding is not null)
            response.Headers.ContentEncoding = answer.Coding;
        if (answer.RetryAfter is not null)
            response.Headers.RetryAfter = answer.RetryAfter;
        if (answer.Status == 405)
            response.Headers.Allow = "GET";

        // A client that follows this redirect appears in the ledger.
        if (answer.Status is 301 or 302 or 303 or 307 or 308)
            response.Headers.Location = "/redirected";
    }

    private static string JsonEscaped(string text) => JsonEncodedText.Encode(text).Value;
}
