using System.CommandLine;
using System.Net.Sockets;
using Gateway.Callers;
using Simulator;

namespace Gateway.Commands;

/// <summary><c>demo</c>: runs the gateway and a simulated upstream on loopback, without configuration.</summary>
internal static class DemoCommand
{
    private const string Credential = "simulated-upstream-credential";

    public static Command Create()
    {
        var port = PortOption("--port", "The gateway's port", 5080);
        var upstreamPort = PortOption("--upstream-port", "The simulated upstream's port", 5081);
        var command = new Command("demo", "Runs the gateway and a simulated upstream, and prints examples to try")
        {
            port,
            upstreamPort,
        };
        command.SetAction((parsed, cancellation) =>
            RunAsync(parsed.GetRequiredValue(port), parsed.GetRequiredValue(upstreamPort), cancellation));
        return command;
    }

    private static Option<int> PortOption(string name, string description, int port)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => port };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is >= 0 and <= 65535) return;
            result.AddError($"{name} must be from 0 to 65535; 0 picks a free port");
        });
        return option;
    }

    private static async Task<int> RunAsync(int port, int upstreamPort, CancellationToken cancellation)
    {
        SimulatedUpstream upstream;
        try
        {
            upstream = await SimulatedUpstream.StartAsync(upstreamPort, [Credential], cancellation: cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await Console.Error.WriteLineAsync(
                $"Port {upstreamPort} for the simulated upstream cannot be used: {e.Message.TrimEnd('.')}. "
                + "Choose another with --upstream-port.");
            return 1;
        }
        await using (upstream)
        {
            string mapping = GatewayKey.Create(), survey = GatewayKey.Create();
            var exit = await CommandLine.RunAsync(
                () => Program.Build([], Settings(port, upstream.Address, mapping, survey)),
                CommandLine.PrintErrors,
                app => Console.WriteLine(Examples(new Uri(app.Urls.First()), upstream.Address, mapping, survey)));
            if (exit != 0)
            {
                await Console.Error.WriteLineAsync(
                    $"The gateway did not start; if port {port} is taken, choose another with --port.");
            }
            return exit;
        }
    }

    private static Dictionary<string, string?> Settings(int port, Uri upstream, string mapping, string survey) => new()
    {
        ["urls"] = $"http://127.0.0.1:{port}",
        ["http_ports"] = null,
        ["https_ports"] = null,
        ["ConnectionStrings:Redis"] = "",
        ["Management:Port"] = "0",
        ["Upstream:BaseAddress"] = upstream.ToString(),
        ["Upstream:Accounts:default:Credential"] = Credential,
        ["Upstream:Accounts:default:CredentialFile"] = "",
        ["Upstream:Accounts:default:NextCredential"] = "",
        ["Upstream:Accounts:default:NextCredentialFile"] = "",
        ["Teams:mapping:Account"] = "default",
        ["Teams:mapping:Workflows:0"] = "*",
        ["Teams:mapping:Quota"] = "demo-mapping",
        ["Teams:mapping:ApiKeys:0:Id"] = "mapping-demo",
        ["Teams:mapping:ApiKeys:0:Sha256"] = KeyHash.Of(mapping).ToString(),
        ["Teams:survey:Account"] = "default",
        ["Teams:survey:Workflows:0"] = "survey-*",
        ["Teams:survey:Quota"] = "demo-survey",
        ["Teams:survey:ApiKeys:0:Id"] = "survey-demo",
        ["Teams:survey:ApiKeys:0:Sha256"] = KeyHash.Of(survey).ToString(),
        ["Quotas:demo-mapping:Requests"] = "600",
        ["Quotas:demo-mapping:Window"] = "00:01:00",
        ["Quotas:demo-mapping:Burst"] = "60",
        ["Quotas:demo-survey:Requests"] = "12",
        ["Quotas:demo-survey:Window"] = "00:01:00",
        ["Quotas:demo-survey:Burst"] = "5",
        ["Logging:LogLevel:Default"] = "Warning",
        ["Logging:LogLevel:Gateway"] = "Warning",
        ["Logging:Console:FormatterName"] = "simple",
    };

    private static string Examples(Uri gateway, Uri upstream, string mapping, string survey) => $"""
        Gateway:   {gateway}   (contract: {gateway}docs)
        Upstream:  {upstream}   (simulated; its calls: curl {upstream}_simulator/calls)

        Keys:      mapping  {mapping}   reads every workflow
                   survey   {survey}   reads survey-* only; 12 requests a minute, bursts of 5

        1. A finished job, twice: the second answer is a hit, and the upstream is called once.
           curl -i -H 'X-Api-Key: {mapping}' {gateway}v0/workflows/survey-north/jobs/finished-1
           curl -i -H 'X-Api-Key: {mapping}' {gateway}v0/workflows/survey-north/jobs/finished-1

        2. A running job: repeat the request; the job finishes after 30 s, and the gateway then keeps it.
           curl -i -H 'Authorization: Bearer {mapping}' {gateway}v0/workflows/survey-north/jobs/run-30

        3. The events of a running job: each state comes when it changes; the job and the stream end after 10 s.
           curl -N -H 'X-Api-Key: {mapping}' '{gateway}v0/workflows/survey-north/jobs/run-10/events?view=summary'

        4. A workflow that the team may not read: 403.
           curl -i -H 'X-Api-Key: {survey}' {gateway}v0/workflows/harbour/jobs/finished-1

        5. A burst beyond the quota: 429 with Retry-After.
           {QuotaExample(gateway, survey)}

        6. Two jobs in a browser; the pages ask for a key. One job runs for 90 s, again and again. The other has failed.
           {gateway}view/workflows/survey-north/jobs/run-90.wide.again-20
           {gateway}view/workflows/survey-north/jobs/fail.wide

        Ctrl-C stops both.
        """;

    private static string QuotaExample(Uri gateway, string key) =>
        $"for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'X-Api-Key: {key}' "
        + $"{gateway}v0/workflows/survey-north/jobs/finished-1; done";
}
