using System.Diagnostics;

namespace Gateway.KeyTiming;

/// <summary>The measured times of one class.</summary>
internal sealed record Series(KeyClass Class, List<double> Times);

/// <summary>A family, and the subject that checks its keys.</summary>
internal sealed record Group<TSubject>(string Name, Family Family, TSubject Subject)
{
    public Series[] Series { get; } = Array.ConvertAll(Family.Classes, keys => new Series(keys, []));
}

/// <summary>
/// A place of measurement. All classes are measured in a new random order each round, so that other load and effects
/// of one measurement on the next affect all classes equally.
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

    /// <summary>Takes one measurement.</summary>
    protected abstract double Time(Group<TSubject> group, KeyClass keys);

    /// <summary>
    /// A random key of a class in newly allocated memory, so that the processor's caches treat the keys of all classes
    /// equally.
    /// </summary>
    protected static string Pick(KeyClass keys) => new(keys.Keys[Random.Shared.Next(keys.Keys.Length)].AsSpan());
}
