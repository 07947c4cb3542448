using Gateway.Tests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// Starts the longest collections first (clusters and browsers), so that no long one runs alone at the end.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Long = [".RedisClusterTests", ".OutageTests", ".CredentialTests", ".DocsPageTests",
        ".Cluster.", "Browser", ".Contract."];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(
        IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(
            collection => Array.FindIndex(
                Long, name => collection.TestCollectionDisplayName.Contains(name, StringComparison.Ordinal)) is >= 0
                and var place ? place : Long.Length)];
}
