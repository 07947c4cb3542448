namespace Gateway.Tests.Infrastructure;

/// <summary>The collection of tests that measure response times: no other test runs at the same time.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
