namespace Gateway.Runtime;

/// <summary>
/// A budget of bytes for bodies that are being processed. Work waits for its share in the order of arrival, and holds
/// nothing while it waits, so that no two shares can wait for each other.
/// </summary>
internal sealed class ByteBudget(Func<long> capacity, TimeProvider clock)
{
    /// <summary>The largest body that needs no share, in bytes.</summary>
    public const int SmallBody = 64 * 1024;

    /// <summary>The <c>Retry-After</c> for a caller that is refused because memory is short.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _clock = clock;
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private long _held;

    /// <summary>The bytes that all shares hold.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <summary>Creates an empty share. Disposing it returns its bytes to the budget.</summary>
    /// <param name="longestWait">The longest wait for more bytes.</param>
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
            // The next waiter may need less.
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

    // A request above the whole capacity is admitted alone.
    private bool Fits(long bytes) => _held == 0 || _held + bytes <= capacity();

    /// <summary>The bytes that one piece of work holds. Only one thread may use a share at a time.</summary>
    internal sealed class Share(ByteBudget budget, TimeSpan longestWait) : IDisposable
    {
        private long _bytes;

        /// <summary>Waits until the share holds at least this many bytes.</summary>
        /// <returns>False if the budget had no room in time. The share then holds nothing.</returns>
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

        /// <summary>Returns the bytes above this number to the budget.</summary>
        public void ShrinkTo(long bytes)
        {
            if (bytes >= _bytes) return;
            var rest = _bytes - bytes;
            _bytes = bytes;
            budget.Release(rest);
        }

        public void Dispose() => ShrinkTo(0);
    }

    private sealed class Waiter(long bytes)
        : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Bytes => bytes;
    }
}
