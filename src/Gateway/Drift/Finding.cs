namespace Gateway.Drift;

/// <summary>One way in which a job is not what the contract says; it holds no value.</summary>
/// <param name="Pointer">
/// A JSON pointer (RFC 6901) with <c>*</c> for any index of an array. A name that is not 1 to 64 letters, digits,
/// <c>_</c>,
/// <c>.</c> and <c>-</c> is <c>?</c>.
/// </param>
/// <param name="Kind">One of those below.</param>
internal sealed record Finding(string Pointer, string Kind)
{
    public const string UnknownField = "unknown-field", WrongType = "wrong-type", MissingField = "missing-field",
        NewStatus = "new-status";
}
