namespace Gateway.SideBySide.Measuring;

/// <summary>One contestant's runs, one per round.</summary>
internal sealed record Row(string Name)
{
    public List<Sample> Samples { get; } = [];

    public double Median(Measure measure) => Statistics.Median(Values(measure));

    public IEnumerable<double> Values(Measure measure) => Samples.Select(sample => sample[measure]);

    public bool Has(Measure measure) => Samples.Count > 0 && Samples[0].ContainsKey(measure);

    /// <summary>The median of the round-by-round ratios to another row.</summary>
    public double RatioTo(Row other, Measure measure) =>
        Statistics.Median(Values(measure).Zip(other.Values(measure), (mine, others) => mine / others));
}

/// <summary>The results of a scenario.</summary>
/// <param name="Name">The name in <c>--scenarios</c>.</param>
/// <param name="Text">A description of the scenario in one or two sentences.</param>
/// <param name="Main">The measure that is compared.</param>
/// <param name="Reference">The row that the others are compared with, or null.</param>
internal sealed record Table(
    string Name, string Title, string Text, Measure Main, string? Reference, IReadOnlyList<Row> Rows)
{
    /// <summary>True if each run took as long as <c>--seconds</c>.</summary>
    public bool IsTimed { get; init; } = true;

    /// <summary>A note on how the figures were obtained, if they are not medians of rounds.</summary>
    public string? Note { get; init; }

    /// <summary>The upper bound of the others' figures as a multiple of the reference's, or null.</summary>
    public double? MostOfReference { get; init; }

    /// <summary>
    /// The rows that exceed the bound by more than chance: if their true ratio were the bound, this many rounds above
    /// it would occur in at most one of twenty runs (sign test). They must also be at least one millisecond later.
    /// </summary>
    public IEnumerable<Row> Beyond => MostOfReference is not { } most || ReferenceRow is not { } reference ? []
        : Rows.Where(row => row != reference && row.Median(Main) - reference.Median(Main) > 1
            && Statistics.IsMoreThanChance(row.Values(Main).Zip(reference.Values(Main))
                .Count(of => of.First > most * of.Second), row.Samples.Count));

    public IEnumerable<Measure> Measures => Rows.SelectMany(row => row.Samples)
        .SelectMany(sample => sample.Keys).Distinct();

    public Row? ReferenceRow => Rows.FirstOrDefault(row => row.Name == Reference);
}
