namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>Somebody the provider knows.</summary>
/// <param name="Name">What is typed to sign in.</param>
internal sealed record User(string Name, string FullName, params string[] Groups)
{
    public static readonly User Alice = new("alice", "Alice Ampère", "mapping");
    public static readonly User Bob = new("bob", "Bob Becquerel", "survey");
    public static readonly User Carol = new("carol", "Carol Curie", "survey", "mapping");
    public static readonly User Dave = new("dave", "Dave Dalton");

    /// <summary>Never the same as any other claim, so that whoever takes one for the other is noticed.</summary>
    public string Subject => $"subject-of-{Name}";

    public string Email => $"{Name}@example.test";
}
