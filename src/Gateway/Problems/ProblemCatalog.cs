namespace Gateway.Problems;

/// <summary>
/// Every kind of problem, of all features: for the contract, and for the pages that the types lead to.
/// </summary>
internal sealed class ProblemCatalog(IEnumerable<ProblemType> types)
{
    public IReadOnlyList<ProblemType> All { get; } = [.. types];

    public IEnumerable<ProblemType> Of(ProblemScope scope) => All.Where(type => type.Scope.HasFlag(scope));
}
