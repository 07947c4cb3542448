namespace Simulator;

/// <summary>The scripted faults. The oldest fault that matches a call applies.</summary>
internal sealed class Faults
{
    private readonly Lock _lock = new();
    private readonly List<Scripted> _scripted = [];

    public void Add(Fault fault)
    {
        if (fault.Problem() is string problem)
            throw new ArgumentException(problem, nameof(fault));
        lock (_lock)
            _scripted.Add(new Scripted(fault));
    }

    public void Clear()
    {
        lock (_lock)
            _scripted.Clear();
    }

    internal Fault? Take(string jobId)
    {
        lock (_lock)
        {
            if (_scripted.Find(scripted => scripted.Fault.AppliesTo(jobId)) is not Scripted found)
                return null;
            if (--found.Left == 0)
                _scripted.Remove(found);
            return found.Fault;
        }
    }

    private sealed class Scripted(Fault fault)
    {
        public Fault Fault { get; } = fault;

        /// <summary>The remaining calls; negative if the fault is not limited.</summary>
        public long Left { get; set; } = fault.Times ?? -1;
    }
}
