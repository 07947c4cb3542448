namespace Gateway.Problems;

/// <summary>The problem types of all features, for the contract and for the pages that describe them.</summary>
internal sealed class ProblemCatalog(IEnumerable<ProblemType> types)
{
    public IReadOnlyList<ProblemType> All { get; } = [.. types];

    /// <summary>The types that at least one of the operations can have.</summary>
    public IEnumerable<ProblemType> Of(ProblemScope scope) => All.Where(type => (type.Scope & scope) != 0);
}
