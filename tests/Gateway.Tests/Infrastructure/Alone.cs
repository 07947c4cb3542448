namespace Gateway.Tests.Infrastructure;

/// <summary>Tests that measure how long answers take: nothing else runs meanwhile.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
