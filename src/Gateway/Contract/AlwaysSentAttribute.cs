namespace Gateway.Contract;

/// <summary>
/// A field that has always been there so far, and that readers rely on: where it does not come, something has changed.
/// The published document promises no field, and says nothing of this.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AlwaysSentAttribute : Attribute;
