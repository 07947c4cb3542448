namespace Gateway.SideBySide.Measuring;

/// <summary>One contestant's runs, one for each round.</summary>
internal sealed record Row(string Name)
{
    public List<Sample> Samples { get; } = [];

    public double Median(Measure measure) => Statistics.Median(Values(measure));

    public IEnumerable<double> Values(Measure measure) => Samples.Select(sample => sample[measure]);

    public bool Has(Measure measure) => Samples.Count > 0 && Samples[0].ContainsKey(measure);

    /// <summary>To another one's, round by round.</summary>
    public double RatioTo(Row other, Measure measure) => Statistics.Median(Values(measure).Zip(other.Values(measure), (mine, others) => mine / others));
}

/// <summary>What a scenario found.</summary>
/// <param name="Name">As <c>--scenarios</c> has it.</param>
/// <param name="Text">What was done, in a sentence or two.</param>
/// <param name="Main">What is compared.</param>
/// <param name="Reference">The row that the others are compared with; null where there is nothing to compare.</param>
internal sealed record Table(string Name, string Title, string Text, Measure Main, string? Reference, IReadOnlyList<Row> Rows)
{
    /// <summary>Whether each run took as long as <c>--seconds</c> says.</summary>
    public bool IsTimed { get; init; } = true;

    /// <summary>How the figures came about, where they are not medians of rounds.</summary>
    public string? Note { get; init; }

    /// <summary>How many times the reference's figure the others' may be; null: there is no bound.</summary>
    public double? MostOfReference { get; init; }

    /// <summary>
    /// The rows that are beyond the bound, by more than chance: if their true ratio were the bound, so many rounds
    /// above it would come in one of twenty runs at most (sign test), and they are later by a millisecond at least.
    /// </summary>
    public IEnumerable<Row> Beyond => MostOfReference is not { } most || ReferenceRow is not { } reference ? []
        : Rows.Where(row => row != reference && row.Median(Main) - reference.Median(Main) > 1
            && Statistics.IsMoreThanChance(row.Values(Main).Zip(reference.Values(Main)).Count(of => of.First > most * of.Second), row.Samples.Count));

    public IEnumerable<Measure> Measures => Rows.SelectMany(row => row.Samples).SelectMany(sample => sample.Keys).Distinct();

    public Row? ReferenceRow => Rows.FirstOrDefault(row => row.Name == Reference);
}
