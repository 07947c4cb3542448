using Gateway.Upstream;

namespace Gateway.Routes;

/// <summary>
/// Reads an upstream body, and fails before it returns the credential of the request. Bytes that may be the start of
/// the credential are held back until the bytes after them are read.
/// </summary>
/// <param name="onFound">Called when the body holds the credential.</param>
/// <param name="slice">The part of the body to return; null: all of it. The rest is searched only.</param>
/// <param name="onFirstWait">Called if the body has begun without any bytes.</param>
internal sealed class EchoGuard(
    Stream body, Credential credential, Action onFound, ByteRange.Slice? slice = null, Func<Task>? onFirstWait = null)
    : Stream
{
    // A stream whose reads and writes always complete at once would occupy its thread: it yields after 16 chunks.
    private const int ChunkSize = 16 * 1024, ChunksAtOnce = 16;

    private readonly int _kept = credential.MaxEchoLength;
    private readonly byte[] _window = new byte[credential.MaxEchoLength + ChunkSize];
    private int _given, _free, _end, _chunks;
    private long _skip = slice?.Skip ?? 0, _left = slice?.Length ?? long.MaxValue;
    private bool _isOver;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="IOException">The body holds the credential, or the connection failed.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_left == 0) return 0;
        while (_given == _free && !_isOver)
        {
            await FillAsync(cancellationToken);
            var skipped = (int)Math.Min(_skip, _free - _given);
            (_given, _skip) = (_given + skipped, _skip - skipped);
        }
        var count = (int)Math.Min(Math.Min(buffer.Length, _free - _given), _left);
        if (count == 0 && _isOver && slice is not null) throw new IOException("The upstream's answer ended early.");
        _window.AsMemory(_given, count).CopyTo(buffer);
        (_given, _left) = (_given + count, _left - count);
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
            // Bytes held back are never more than the longest form, so none of them is dropped here.
            var passed = _end - _kept;
            _window.AsSpan(passed, _kept).CopyTo(_window);
            (_given, _free, _end) = (_given - passed, _free - passed, _kept);
        }
        if (++_chunks % ChunksAtOnce == 0) await Task.Yield();
        var read = _chunks == 1 && onFirstWait is not null ? await ReadFirstAsync(onFirstWait, cancellation)
            : await body.ReadAsync(_window.AsMemory(_end, ChunkSize), cancellation);
        _end += read;
        if (credential.IsIn(_window.AsSpan(0, _end)))
        {
            onFound();
            throw new IOException("The upstream echoed the credential of the request.");
        }
        _isOver = read == 0;
        _free = _isOver ? _end : _end - credential.StartAtEndOf(_window.AsSpan(0, _end));
    }

    private async Task<int> ReadFirstAsync(Func<Task> onWait, CancellationToken cancellation)
    {
        var reading = body.ReadAsync(_window.AsMemory(_end, ChunkSize), cancellation).AsTask();
        if (!reading.IsCompleted) await onWait();
        return await reading;
    }
}
