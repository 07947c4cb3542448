using Gateway.Jobs;
using Gateway.Runtime;
using Microsoft.Extensions.Options;

namespace Gateway.Caching;

/// <summary>
/// Bounds what large jobs under way hold beside the cache, so that many at once do not take all memory: those that are
/// being fetched or encoded, and those that are being written to slow callers when the cache has them no longer. Each
/// of the two has
/// <c>Jobs:BytesUnderWay</c>.
/// </summary>
internal sealed class LargeBodies(JobMemory memory, IOptionsMonitor<JobsOptions> options, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<JobSnapshot, Writing> _writing = [];
    // What all of them weigh, those in the cache included.
    private long _bytes;

    /// <summary>For fetching and encoding.</summary>
    public ByteBudget Making { get; } = new(() => options.CurrentValue.BytesUnderWay, clock);

    /// <summary>Notes that a job is being written to one more caller, until what is returned is disposed of.</summary>
    /// <returns>Null: there is no room for it.</returns>
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
        var most = options.CurrentValue.BytesUnderWay;
        if (_bytes + snapshot.Size <= most) return true;
        // What the cache has is within its own bound.
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
