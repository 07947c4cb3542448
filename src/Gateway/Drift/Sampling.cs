namespace Gateway.Drift;

/// <summary>Admits the first jobs of each second, up to a limit.</summary>
internal sealed class Sampling(TimeProvider clock)
{
    private readonly Lock _lock = new();
    private long _second;
    private int _admitted;

    public bool Admit(int perSecond)
    {
        var second = clock.GetTimestamp() / clock.TimestampFrequency;
        lock (_lock)
        {
            if (second != _second) (_second, _admitted) = (second, 0);
            if (_admitted >= perSecond) return false;
            _admitted++;
            return true;
        }
    }
}
