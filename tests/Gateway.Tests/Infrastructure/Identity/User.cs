namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>A user of the provider.</summary>
/// <param name="Name">The name that the user types to sign in.</param>
internal sealed record User(string Name, string FullName, params string[] Groups)
{
    public static readonly User Alice = new("alice", "Alice Ampère", "mapping");
    public static readonly User Bob = new("bob", "Bob Becquerel", "survey");
    public static readonly User Carol = new("carol", "Carol Curie", "survey", "mapping");
    public static readonly User Dave = new("dave", "Dave Dalton");

    /// <summary>Differs from every other claim, so that a test notices if the two are mixed up.</summary>
    public string Subject => $"subject-of-{Name}";

    public string Email => $"{Name}@example.test";
}
