namespace Gateway.Contract;

/// <summary>
/// Marks a field that every job of the upstream has had so far. A job without the field counts as drift. The published
/// document does not mention this: it promises no field.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AlwaysSentAttribute : Attribute;
