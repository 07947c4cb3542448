namespace Gateway.Runtime;

/// <summary>
/// Metadata of an endpoint that reads its request's body itself. The body of any other request is dropped.
/// </summary>
internal sealed class ReadsBody;
