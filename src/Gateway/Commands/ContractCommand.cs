using System.CommandLine;
using System.Text;
using Gateway.Contract;

namespace Gateway.Commands;

/// <summary><c>contract</c>: prints the published document of this configuration, for files and builds.</summary>
internal static class ContractCommand
{
    public static Command Create()
    {
        var path = new Option<string>("--path")
        {
            Description = "Which rendering, by where a gateway serves it",
            DefaultValueFactory = _ => PublishedContract.Paths.First(),
        };
        path.AcceptOnlyFromAmong([.. PublishedContract.Paths]);
        var command = new Command("contract", "Prints the OpenAPI document that the gateway publishes") { path };
        command.SetAction((parsed, _) => PrintAsync(parsed.GetRequiredValue(path)));
        return command;
    }

    private static async Task<int> PrintAsync(string path)
    {
        await using var app = Program.Build([], new()
        {
            // No credential is needed to say what would be served with one, and nothing is to be read beside the
            // document.
            ["Upstream:Accounts:contract:Credential"] = "not-used-for-this",
            ["Logging:Console:LogLevel:Default"] = "None",
            ["Logging:Console:LogLevel:Gateway"] = "None",
        });
        // As a start would, but without one.
        app.UseEndpoints(_ => { });
        var rendering = await app.Services.GetRequiredService<PublishedContract>().GetAsync(path);
        Console.WriteLine(Encoding.UTF8.GetString(rendering.Bytes).TrimEnd());
        return 0;
    }
}
