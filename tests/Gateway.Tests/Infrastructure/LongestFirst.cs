using Gateway.Tests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Whole clusters and browsers take longest, and so begin first: at the end of a run nothing long is left that runs
/// alone by chance.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Long = [".RedisClusterTests", ".OutageTests", ".CredentialTests", ".DocsPageTests", ".Cluster.", "Browser", ".Contract."];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Array.FindIndex(Long, name => collection.TestCollectionDisplayName.Contains(name, StringComparison.Ordinal)) is >= 0 and var place ? place : Long.Length)];
}
