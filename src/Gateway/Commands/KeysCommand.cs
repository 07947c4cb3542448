using System.CommandLine;
using Gateway.Callers;

namespace Gateway.Commands;

/// <summary>
/// <c>keys new</c> makes a gateway key, which is printed once and kept nowhere; <c>keys check</c> says whether one is
/// whole.
/// </summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var team = new Option<string>("--team") { Description = "The team that the key is for", Required = true };
        var create = new Command("new", "Prints a new key, and the configuration entry that holds only its hash") { team };
        create.SetAction(parsed => New(parsed.GetRequiredValue(team)));
        var check = new Command("check", "Says whether the key on standard input is whole, and prints its hash");
        check.SetAction(_ => Check(Console.In.ReadLine()?.Trim() ?? ""));
        return new Command("keys", "Gateway keys") { create, check };
    }

    private static int New(string team)
    {
        if (team.Length is 0 or > 64 || !team.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            Console.Error.WriteLine("--team: a team's name is 1 to 64 letters, digits, '-', '_' and '.'");
            return 2;
        }
        var key = GatewayKey.Create();
        var id = $"{team}-{KeyHash.Of(key).ToString()[..8]}";
        Console.WriteLine($$"""
            The key, shown this once; give it to the team:

              {{key}}

            The entry for Teams:{{team}}:ApiKeys, which holds only its hash:

              { "Id": "{{id}}", "Sha256": "{{KeyHash.Of(key)}}", "NotBefore": null, "ExpiresAt": null }

            The same as environment variables, for the team's first key:

              Teams__{{team}}__ApiKeys__0__Id={{id}}
              Teams__{{team}}__ApiKeys__0__Sha256={{KeyHash.Of(key)}}
            """);
        return 0;
    }

    private static int Check(string key)
    {
        if (!GatewayKey.IsWhole(key))
        {
            Console.Error.WriteLine(
                key.Length == 0 ? "Give the key on standard input: printf %s \"$KEY\" | ... keys check"
                : GatewayKey.IsMeant(key) ? "The key is incomplete or mistyped."
                : "This is no key as 'keys new' makes them, so there is nothing to check it by.");
            return 1;
        }
        Console.WriteLine($"The key is whole. Its Sha256: {KeyHash.Of(key)}");
        return 0;
    }
}
