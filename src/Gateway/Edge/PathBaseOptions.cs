namespace Gateway.Edge;

/// <summary>The prefix of all paths, if a proxy does not remove it; empty for none.</summary>
internal sealed record PathBaseOptions(string Path);
