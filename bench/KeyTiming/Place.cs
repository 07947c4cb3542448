using System.Diagnostics;

namespace Gateway.KeyTiming;

/// <summary>What a class took, each time that it was measured.</summary>
internal sealed record Series(KeyClass Class, List<double> Times);

/// <summary>A family, and who is asked about its keys.</summary>
internal sealed record Group<TSubject>(string Name, Family Family, TSubject Subject)
{
    public Series[] Series { get; } = Array.ConvertAll(Family.Classes, keys => new Series(keys, []));
}

/// <summary>
/// Where time is measured. All classes take turns, in an order drawn anew for each round, so that whatever else the
/// machine does, and whatever one turn leaves behind for the next, comes to all alike.
/// </summary>
internal abstract class Place<TSubject>(Group<TSubject>[] groups)
{
    private readonly (Group<TSubject> Group, Series Series)[] _turns =
        [.. groups.SelectMany(group => group.Series.Select(series => (group, series)))];

    public IReadOnlyList<Group<TSubject>> Groups => groups;

    public void Measure(TimeSpan time, bool keep)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            Random.Shared.Shuffle(_turns);
            foreach (var (group, series) in _turns)
            {
                var took = Time(group, series.Class);
                if (keep) series.Times.Add(took);
            }
        }
    }

    /// <summary>Measures once.</summary>
    protected abstract double Time(Group<TSubject> group, KeyClass keys);

    /// <summary>
    /// Some key of a class, in memory of its own: just written, it is as near to the processor as that of any other
    /// class, however many there are.
    /// </summary>
    protected static string Pick(KeyClass keys) => new(keys.Keys[Random.Shared.Next(keys.Keys.Length)].AsSpan());
}
