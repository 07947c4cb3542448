namespace Gateway.Runtime;

/// <summary>
/// The bytes that bodies under way may hold at once. Work waits for its share in the order in which it came, and holds
/// none while it waits, so that it cannot wait for itself.
/// </summary>
internal sealed class ByteBudget(Func<long> capacity, TimeProvider clock)
{
    /// <summary>A body of up to so many bytes needs no share.</summary>
    public const int SmallBody = 64 * 1024;

    /// <summary>A caller who is refused for want of memory is told to come back after so long.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _clock = clock;
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private long _held;

    /// <summary>What is held at present.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <summary>A share that holds nothing yet. Disposing of it gives back what it holds.</summary>
    /// <param name="longestWait">How long it waits to hold more.</param>
    public Share NewShare(TimeSpan longestWait) => new(this, longestWait);

    private async ValueTask<bool> TakeAsync(long bytes, CancellationToken cancellation)
    {
        LinkedListNode<Waiter> waiter;
        lock (_lock)
        {
            if (_waiting.Count == 0 && Fits(bytes))
            {
                _held += bytes;
                return true;
            }
            waiter = _waiting.AddLast(new Waiter(bytes));
        }
        await using (cancellation.UnsafeRegister(_ => GiveUp(waiter), null)) return await waiter.Value.Task;
    }

    private void Release(long bytes)
    {
        lock (_lock)
        {
            _held -= bytes;
            LetIn();
        }
    }

    private void GiveUp(LinkedListNode<Waiter> waiter)
    {
        lock (_lock)
        {
            if (waiter.List is null) return;
            _waiting.Remove(waiter);
            waiter.Value.SetResult(false);
            // The next one may need less.
            LetIn();
        }
    }

    private void LetIn()
    {
        while (_waiting.First is { } first && Fits(first.Value.Bytes))
        {
            _waiting.RemoveFirst();
            _held += first.Value.Bytes;
            first.Value.SetResult(true);
        }
    }

    // More than there is at all is let in alone.
    private bool Fits(long bytes) => _held == 0 || _held + bytes <= capacity();

    /// <summary>What one piece of work holds. It is used by one thread at a time.</summary>
    internal sealed class Share(ByteBudget budget, TimeSpan longestWait) : IDisposable
    {
        private long _bytes;

        /// <summary>Waits until it holds at least so many bytes.</summary>
        /// <returns>False: there was no room in time. It then holds nothing.</returns>
        public async ValueTask<bool> GrowToAsync(long bytes, CancellationToken cancellation)
        {
            if (bytes <= _bytes) return true;
            Dispose();
            using var late = new CancellationTokenSource(longestWait, budget._clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
            if (!await budget.TakeAsync(bytes, either.Token)) return false;
            _bytes = bytes;
            return true;
        }

        /// <summary>Gives back what it holds beyond so many bytes.</summary>
        public void ShrinkTo(long bytes)
        {
            if (bytes >= _bytes) return;
            var rest = _bytes - bytes;
            _bytes = bytes;
            budget.Release(rest);
        }

        public void Dispose() => ShrinkTo(0);
    }

    private sealed class Waiter(long bytes) : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Bytes => bytes;
    }
}
