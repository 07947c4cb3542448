using System.CommandLine;
using Gateway.Callers;

namespace Gateway.Commands;

/// <summary><c>keys new</c>: makes a gateway key. The key is printed once and kept nowhere.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var team = new Option<string>("--team") { Description = "The team that the key is for", Required = true };
        var create = new Command("new", "Prints a new key, and the configuration entry that holds only its hash") { team };
        create.SetAction(parsed => New(parsed.GetRequiredValue(team)));
        return new Command("keys", "Gateway keys") { create };
    }

    private static int New(string team)
    {
        if (team.Length is 0 or > 64 || !team.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            Console.Error.WriteLine("--team: a team's name is 1 to 64 letters, digits, '-', '_' and '.'");
            return 2;
        }
        var key = NewKey.Create();
        var id = $"{team}-{KeyHash.Of(key).ToString()[..8]}";
        Console.WriteLine($$"""
            The key, shown this once; give it to the team:

              {{key}}

            The entry for Teams:{{team}}:ApiKeys, which holds only its hash:

              { "Id": "{{id}}", "Sha256": "{{KeyHash.Of(key)}}", "ExpiresAt": null }

            The same as environment variables, for the team's first key:

              Teams__{{team}}__ApiKeys__0__Id={{id}}
              Teams__{{team}}__ApiKeys__0__Sha256={{KeyHash.Of(key)}}
            """);
        return 0;
    }
}
