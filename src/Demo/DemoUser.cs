namespace Demo;

/// <summary>A user of the demo's provider.</summary>
/// <param name="Id">The subject.</param>
/// <param name="Groups">The values of the claim that makes the user a member of a team.</param>
internal sealed record DemoUser(string Id, string Name, params string[] Groups)
{
    public const string GroupsClaim = "groups";

    public static readonly DemoUser[] All =
        [new("mona", "Mona Mapping", "mapping"), new("sam", "Sam Survey", "survey")];

    public static DemoUser? Find(string? id) => Array.Find(All, user => user.Id == id);
}
