namespace Gateway.Configuration;

/// <summary>
/// Marks named lists. A name with a colon cannot be named there, because colons separate sections, and gets an error
/// with this hint.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NameWithoutColonsAttribute(string hint) : Attribute
{
    public string Hint => hint;
}
