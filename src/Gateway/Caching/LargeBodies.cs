using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Bounds the memory of large jobs beside the cache. There are two budgets of <c>Jobs:BytesUnderWay</c> each: one for
/// jobs that are being fetched or encoded, and one for jobs that are being written to callers although the cache has
/// removed them.
/// </summary>
internal sealed class LargeBodies(JobMemory memory, IOptionsMonitor<JobsOptions> options, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<JobSnapshot, Writing> _writing = [];
    // The size of all snapshots that are being written, cached ones included.
    private long _bytes;

    /// <summary>The budget for fetching and encoding.</summary>
    public ByteBudget Budget { get; } = new(() => options.CurrentValue.UnderWayInForce, clock);

    /// <summary>Notes that a job is being written to one more caller, until the result is disposed.</summary>
    /// <returns>Null if there is no room for it.</returns>
    public IDisposable? BeginWriting(JobKey key, JobSnapshot snapshot)
    {
        lock (_lock)
        {
            if (!_writing.TryGetValue(snapshot, out var writing))
            {
                if (!HasRoomFor(key, snapshot)) return null;
                _writing[snapshot] = writing = new Writing(this, key, snapshot, snapshot.Size);
                _bytes += writing.Size;
            }
            writing.Callers++;
            return new Ending(writing);
        }
    }

    private bool HasRoomFor(JobKey key, JobSnapshot snapshot)
    {
        var most = options.CurrentValue.UnderWayInForce;
        if (_bytes + snapshot.Size <= most) return true;
        // A snapshot in the cache counts towards the cache's own bound.
        var uncached = _writing.Values.Where(one => memory.Find(one.Key) != one.Snapshot).Sum(one => one.Size);
        return uncached == 0 || uncached + (memory.Find(key) == snapshot ? 0 : snapshot.Size) <= most;
    }

    private sealed class Writing(LargeBodies owner, JobKey key, JobSnapshot snapshot, long size)
    {
        public JobKey Key => key;

        public JobSnapshot Snapshot => snapshot;

        public long Size => size;

        public int Callers { get; set; }

        public void End()
        {
            lock (owner._lock)
            {
                if (--Callers > 0) return;
                owner._writing.Remove(snapshot);
                owner._bytes -= size;
            }
        }
    }

    private sealed class Ending(Writing writing) : IDisposable
    {
        private Writing? _writing = writing;

        public void Dispose() => Interlocked.Exchange(ref _writing, null)?.End();
    }
}
