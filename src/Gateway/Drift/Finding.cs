namespace Gateway.Drift;

/// <summary>One difference between a job and the contract. A finding holds no value of the job.</summary>
/// <param name="Pointer">
/// A JSON pointer (RFC 6901) with <c>*</c> for the index of an array. A name appears as <c>?</c> unless it consists of
/// 1 to 64 letters, digits, <c>_</c>, <c>.</c> and <c>-</c>.
/// </param>
/// <param name="Kind">One of the constants below.</param>
internal sealed record Finding(string Pointer, string Kind)
{
    public const string UnknownField = "unknown-field", WrongType = "wrong-type", MissingField = "missing-field",
        NewStatus = "new-status";
}
