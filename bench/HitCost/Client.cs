using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;

namespace Gateway.HitCost;

/// <summary>The kind of a request, by the coding that it accepts.</summary>
internal enum Kind
{
    Identity,
    Brotli,
}

/// <summary>
/// One connection to the measured host that checks each answer, and a second one, so that the server does not serve
/// the same connection repeatedly.
/// </summary>
internal sealed class Client
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private const int MostSent = 1000;

    private readonly bool _expectsHits;
    private readonly IDuplexPipe _connection = Measured.Transport!.Connect(), _other = Measured.Transport!.Connect();
    private readonly byte[][] _requests;
    private readonly string?[] _etags = new string?[2];

    /// <param name="expectsHits">True if the answers must be cache hits of the gateway.</param>
    public Client(bool expectsHits)
    {
        _requests = [Request("identity"), Request("gzip, deflate, br")];
        // Kestrel starts on its own threads, and the gateway first has to fetch and compress the job.
        foreach (var kind in Enum.GetValues<Kind>())
        {
            for (int sent = 0, atOnce = 0; atOnce < 3; sent++)
            {
                if (sent == MostSent) throw new InvalidOperationException("Hits do not complete synchronously.");
                atOnce = SendAndWait(_other, kind) & SendAndWait(_connection, kind) ? atOnce + 1 : 0;
            }
        }
        _expectsHits = expectsHits;
    }

    /// <summary>Sends a request. The answer must be available at once.</summary>
    /// <param name="mark">Called immediately before and after the request.</param>
    /// <exception cref="InvalidOperationException">The answer is wrong.</exception>
    public void Send(Kind kind, Action mark)
    {
        Send(_other, kind, () => { });
        Send(_connection, kind, mark);
    }

    private void Send(IDuplexPipe connection, Kind kind, Action mark)
    {
        mark();
        Write(connection, kind);
        mark();
        if (!connection.Input.TryRead(out var read))
            throw new InvalidOperationException("A hit did not complete synchronously.");
        if (!Measured.WasInline) throw new InvalidOperationException("A hit continued on another thread.");
        Check(kind, read.Buffer.ToArray());
        connection.Input.AdvanceTo(read.Buffer.End);
    }

    // True if the answer was available at once.
    private bool SendAndWait(IDuplexPipe connection, Kind kind)
    {
        Write(connection, kind);
        if (IsThere()) return true;
        return SpinWait.SpinUntil(IsThere, Timeout) ? false
            : throw new InvalidOperationException("The host did not answer.");

        bool IsThere()
        {
            if (!connection.Input.TryRead(out var read)) return false;
            var whole = IsWhole(Encoding.ASCII.GetString(read.Buffer.ToArray()));
            connection.Input.AdvanceTo(whole ? read.Buffer.End : read.Buffer.Start, read.Buffer.End);
            return whole;
        }
    }

    private static bool IsWhole(string answer)
    {
        const string Length = "\r\nContent-Length: ";
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal),
            length = answer.IndexOf(Length, StringComparison.Ordinal) + Length.Length;
        return end >= 0 && length > Length.Length && length < end
            && int.Parse(answer.AsSpan(length, answer.IndexOf("\r\n", length, StringComparison.Ordinal) - length),
                null) == answer.Length - end - 4;
    }

    private static byte[] Request(string accepted) => Encoding.ASCII.GetBytes(
        "GET /v0/workflows/survey-1/jobs/job-7 HTTP/1.1\r\nHost: gateway.example\r\nUser-Agent: "
        + "measured/1.0\r\nAccept: application/json\r\n"
        + $"Accept-Encoding: {accepted}\r\nX-Api-Key: {Hosts.Key}\r\n\r\n");

    private void Write(IDuplexPipe connection, Kind kind)
    {
        connection.Output.Write(_requests[(int)kind]);
        var flushing = connection.Output.FlushAsync();
        if (!flushing.IsCompletedSuccessfully)
            throw new InvalidOperationException("A request was not accepted synchronously.");
    }

    private void Check(Kind kind, byte[] answer)
    {
        var end = answer.AsSpan().IndexOf("\r\n\r\n"u8);
        var head = Encoding.ASCII.GetString(answer, 0, Math.Max(end, 0)).Split("\r\n");
        var body = answer[(end + 4)..];
        if (head[0] != "HTTP/1.1 200 OK") throw Wrong("status");
        if (Value("Content-Length") != $"{body.Length}") throw Wrong("length");
        if (_expectsHits && kind == Kind.Brotli)
        {
            if (Value("Content-Encoding") != "br") throw Wrong("content coding");
            using var decoded = new MemoryStream();
            using (var decoding = new BrotliStream(new MemoryStream(body), CompressionMode.Decompress))
                decoding.CopyTo(decoded);
            body = decoded.ToArray();
        }
        if (!body.AsSpan().SequenceEqual(SampleJob.Bytes)) throw Wrong("body");
        if (!_expectsHits) return;
        if (Value("Cache-Status")?.StartsWith("Gateway; hit;", StringComparison.Ordinal) != true)
            throw Wrong("Cache-Status");
        var etag = Value("ETag");
        if (etag is not ['"', .., '"'] || (_etags[(int)kind] ??= etag) != etag || _etags[0] == _etags[1])
            throw Wrong("entity tag");

        string? Value(string name) =>
            Array.Find(head, line => line.StartsWith($"{name}: ", StringComparison.Ordinal))?[(name.Length + 2)..];

        InvalidOperationException Wrong(string what) =>
            new($"An answer has the wrong {what}: {string.Join(" | ", head)}");
    }
}
