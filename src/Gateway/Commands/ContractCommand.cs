using System.CommandLine;
using System.Text;
using Gateway.Contract;

namespace Gateway.Commands;

/// <summary><c>contract</c>: prints the OpenAPI document that the gateway publishes.</summary>
internal static class ContractCommand
{
    public static Command Create()
    {
        var path = new Option<string>("--path")
        {
            Description = "The path at which the gateway serves the document",
            DefaultValueFactory = _ => PublishedContract.Paths.First(),
        };
        path.AcceptOnlyFromAmong([.. PublishedContract.Paths]);
        var command = new Command("contract", "Prints the OpenAPI document that the gateway publishes") { path };
        command.SetAction((parsed, _) => PrintAsync(parsed.GetRequiredValue(path)));
        return command;
    }

    private static async Task<int> PrintAsync(string path)
    {
        try
        {
            // Building the application needs a credential. The output must contain nothing beside the document.
            await using var app = Program.Build(
                [], new(CommandLine.Silent) { ["Upstream:Accounts:contract:Credential"] = "not-used-for-this" });
            // Starting the application would add the endpoints. The command does not start it.
            app.UseEndpoints(_ => { });
            var rendering = await app.Services.GetRequiredService<PublishedContract>().GetAsync(path);
            Console.WriteLine(Encoding.UTF8.GetString(rendering.Bytes).TrimEnd());
            return 0;
        }
        catch (Exception e) when (CommandLine.ReasonsOf(e) is { } reasons)
        {
            CommandLine.PrintErrors(reasons);
            return 1;
        }
    }
}
