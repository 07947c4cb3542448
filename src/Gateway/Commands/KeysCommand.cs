using System.CommandLine;
using Gateway.Callers;

namespace Gateway.Commands;

/// <summary>
/// <c>keys new</c> creates a gateway key, which is printed once and not stored. <c>keys check</c> checks whether a key
/// is complete.
/// </summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var team = new Option<string>("--team") { Description = "The team that the key is for" };
        var isOperator = new Option<string>("--operator") { Description = "The operator that the key is for" };
        var create = new Command("new", "Prints a new key, and the configuration entry with its hash")
        {
            team, isOperator,
        };
        create.Validators.Add(result =>
        {
            if (result.GetResult(team) is null == result.GetResult(isOperator) is null)
                result.AddError("Name either --team or --operator.");
        });
        create.SetAction(parsed => parsed.GetValue(team) is { } name
            ? New("team", name, $"Teams:{name}:ApiKeys")
            : New("operator", parsed.GetValue(isOperator)!, "Operators:ApiKeys"));
        var check = new Command("check", "Checks the key on standard input, and prints its hash");
        check.SetAction(_ => Check(Console.In.ReadLine()?.Trim() ?? ""));
        return new Command("keys", "Creates and checks gateway keys") { create, check };
    }

    private static int New(string kind, string name, string section)
    {
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            Console.Error.WriteLine($"--{kind}: a name is 1 to 64 letters, digits, '-', '_' and '.'");
            return 2;
        }
        var key = GatewayKey.Create();
        var id = $"{name}-{KeyHash.Of(key).ToString()[..8]}";
        var variables = section.Replace(":", "__", StringComparison.Ordinal);
        Console.WriteLine($$"""
            The key, which is shown only once; give it to the {{kind}}:

              {{key}}

            The entry for {{section}}, which contains only the hash of the key:

              { "Id": "{{id}}", "Sha256": "{{KeyHash.Of(key)}}", "NotBefore": null, "ExpiresAt": null }

            The same as environment variables, for the first key:

              {{variables}}__0__Id={{id}}
              {{variables}}__0__Sha256={{KeyHash.Of(key)}}
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
                : "The key was not created by 'keys new', so it cannot be checked.");
            return 1;
        }
        Console.WriteLine($"The key is complete. Its Sha256: {KeyHash.Of(key)}");
        return 0;
    }
}
