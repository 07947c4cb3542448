namespace Gateway.Edge;

/// <summary>What all paths begin with, where a proxy passes that on; empty: nothing.</summary>
internal sealed record PathBaseOptions(string Path);
