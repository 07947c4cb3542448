using Gateway.Upstream;

namespace Gateway.Routes;

/// <summary>
/// A body on its way from the upstream: it ends in a failure before it gives out the credential that it was asked for
/// with. What might be the beginning of one is kept until the next bytes tell.
/// </summary>
/// <param name="onFound">Called when that is why it ends.</param>
internal sealed class EchoGuard(Stream body, Credential credential, Action onFound) : Stream
{
    // A stream that never waits, on neither side, would keep its thread: after so many chunks it goes on behind others.
    private const int ChunkSize = 16 * 1024, ChunksAtOnce = 16;

    // What the longest form may take up, with an escape for each character.
    private readonly int _kept = 6 * credential.LongestEcho;
    private readonly byte[] _window = new byte[6 * credential.LongestEcho + ChunkSize];
    private int _given, _free, _end, _chunks;
    private bool _isOver;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <exception cref="IOException">The upstream sends its credential back, or has gone.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_given == _free && !_isOver) await FillAsync(cancellationToken);
        var count = Math.Min(buffer.Length, _free - _given);
        _window.AsMemory(_given, count).CopyTo(buffer);
        _given += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) body.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask FillAsync(CancellationToken cancellation)
    {
        if (_end > _kept)
        {
            // What was not given yet is the beginning of a secret, and shorter.
            var passed = _end - _kept;
            _window.AsSpan(passed, _kept).CopyTo(_window);
            (_given, _free, _end) = (_given - passed, _free - passed, _kept);
        }
        if (++_chunks % ChunksAtOnce == 0) await Task.Yield();
        var read = await body.ReadAsync(_window.AsMemory(_end, ChunkSize), cancellation);
        _end += read;
        if (credential.IsIn(_window.AsSpan(0, _end)))
        {
            onFound();
            throw new IOException("The upstream sends back the credential that it was asked with.");
        }
        _isOver = read == 0;
        _free = _isOver ? _end : _end - credential.BeginningAtEndOf(_window.AsSpan(0, _end));
    }
}
