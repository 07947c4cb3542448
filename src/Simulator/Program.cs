using System.CommandLine;
using System.Net;
using System.Net.Sockets;

namespace Simulator;

internal static class Program
{
    private const int CannotServe = 1;
    private const int WrongUsage = 2;

    public static async Task<int> Main(string[] args)
    {
        var port = new Option<int>("--port")
        {
            Description = "The port to listen on; 0 picks a free one.",
            DefaultValueFactory = _ => 5081,
        };
        var listen = new Option<string>("--listen")
        {
            Description = "The IP address to listen on.",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var credential = new Option<string[]>("--credential")
        {
            Description =
                $"A credential to accept in Authorization, verbatim; may be repeated. [default: {Credentials.Default}]",
        };
        port.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !ushort.TryParse(result.Tokens[0].Value, out _))
                result.AddError("--port must be from 0 to 65535.");
        });
        listen.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !IPAddress.TryParse(result.Tokens[0].Value, out _))
                result.AddError("--listen must be an IP address.");
        });

        var root = new RootCommand("A simulated upstream API.") { port, listen, credential };
        root.SetAction((parsed, stop) => ServeAsync(
            new IPEndPoint(IPAddress.Parse(parsed.GetValue(listen)!), parsed.GetValue(port)),
            parsed.GetValue(credential) ?? [],
            stop));

        ParseResult parsed = root.Parse(args);
        int exit = await parsed.InvokeAsync();
        return parsed.Errors.Count > 0 ? WrongUsage : exit;
    }

    private static async Task<int> ServeAsync(IPEndPoint endpoint, string[] credentials, CancellationToken stop)
    {
        SimulatedUpstream upstream;
        try
        {
            upstream = await SimulatedUpstream.StartAsync(
                endpoint, credentials.Length > 0 ? credentials : null, quiet: false, cancellation: stop);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            await Console.Error.WriteLineAsync($"Cannot listen on {endpoint}: {exception.Message}");
            return CannotServe;
        }

        await using (upstream)
        {
            Announce(upstream.Address, credentials);
            await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return 0;
    }

    private static void Announce(Uri address, string[] credentials)
    {
        if (credentials.Length == 0)
            Console.WriteLine($"Accepting the credential {Credentials.Default}");
        string credential = credentials.Length > 0 ? credentials[0] : Credentials.Default;
        string quoted = credential.Replace("'", @"'\''", StringComparison.Ordinal);
        Console.WriteLine($"The simulated upstream is at {address}; help is at {address}_simulator");
        Console.WriteLine($"curl -H 'Authorization: {quoted}' {address}v0/workflows/demo/jobs/run-30");
    }
}
