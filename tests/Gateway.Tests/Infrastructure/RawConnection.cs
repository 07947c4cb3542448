using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Tests.Infrastructure;

/// <summary>An HTTP/1.1 connection on which a test writes arbitrary bytes.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly TcpClient _client = new();
    private readonly byte[] _buffer = new byte[64 * 1024];
    private NetworkStream _stream = null!;
    private int _start, _end;

    public Socket Socket => _client.Client;

    public static async Task<RawConnection> OpenAsync(Uri address, int? receiveBuffer = null)
    {
        var connection = new RawConnection();
        if (receiveBuffer is { } bytes) connection._client.ReceiveBufferSize = bytes;
        await connection._client.ConnectAsync(address.Host, address.Port, World.Cancellation);
        connection._stream = connection._client.GetStream();
        return connection;
    }

    public Task SendAsync(string text) =>
        _stream.WriteAsync(Encoding.Latin1.GetBytes(text), World.Cancellation).AsTask();

    /// <summary>Reads one answer, whose length must be given by <c>Content-Length</c> or chunks.</summary>
    /// <returns>The answer, or null if the connection is closed.</returns>
    public async Task<RawAnswer?> ReadAsync(bool hasBody = true)
    {
        try
        {
            if (await LineAsync() is not { } status) return null;
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            while (await LineAsync() is { Length: > 0 } line)
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                headers[line[..colon]] = line[(colon + 1)..].Trim();
            }
            var body = new StringBuilder();
            if (hasBody && headers.TryGetValue("Content-Length", out var length))
            {
                body.Append(await BytesAsync(int.Parse(length, CultureInfo.InvariantCulture)));
            }
            while (hasBody && headers.ContainsKey("Transfer-Encoding") && await LineAsync() is { } size)
            {
                var bytes = int.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                body.Append(await BytesAsync(bytes));
                await LineAsync();
                if (bytes == 0) break;
            }
            return new RawAnswer(int.Parse(status.Split(' ')[1], CultureInfo.InvariantCulture), headers,
                body.ToString());
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Reads until the text has come.</summary>
    /// <returns>All text until then.</returns>
    public async Task<string> ReadUntilAsync(string text)
    {
        var read = new StringBuilder();
        while (!read.ToString().Contains(text, StringComparison.Ordinal))
        {
            read.Append((char)(await ByteAsync() ?? throw new IOException($"The connection closed after: {read}")));
        }
        return read.ToString();
    }

    public void Dispose() => _client.Dispose();

    private async Task<string?> LineAsync()
    {
        var line = new StringBuilder();
        while (await ByteAsync() is { } one)
        {
            if (one == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)one);
        }
        return line.Length > 0 ? throw new IOException("The connection was closed within a line.") : null;
    }

    private async Task<string> BytesAsync(int count)
    {
        var text = new StringBuilder(count);
        while (text.Length < count)
        {
            text.Append((char)(await ByteAsync() ?? throw new IOException("The connection was closed within a body.")));
        }
        return text.ToString();
    }

    private async ValueTask<byte?> ByteAsync()
    {
        if (_start == _end)
        {
            (_start, _end) = (0, await _stream.ReadAsync(_buffer, World.Cancellation));
            if (_end == 0) return null;
        }
        return _buffer[_start++];
    }

    internal sealed record RawAnswer(int Status, Dictionary<string, string> Headers, string Body);
}
