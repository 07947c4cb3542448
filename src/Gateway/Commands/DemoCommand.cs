using System.CommandLine;
using System.Net.Sockets;
using Demo;
using Gateway.Callers;
using Simulator;

namespace Gateway.Commands;

/// <summary>
/// <c>demo</c>: runs the gateway, a simulated upstream, an identity provider and a page of another origin on loopback,
/// without configuration.
/// </summary>
internal static class DemoCommand
{
    private const string Credential = "simulated-upstream-credential";

    public static Command Create()
    {
        var port = PortOption("--port", "The gateway's port", 5080);
        var upstreamPort = PortOption("--upstream-port", "The simulated upstream's port", 5081);
        var identityPort = PortOption("--identity-port", "The identity provider's port", 5082);
        var pagePort = PortOption("--page-port", "The port of a page of another origin", 5083);
        var command = new Command("demo",
            "Runs the gateway, a simulated upstream and an identity provider, and prints examples to try")
        {
            port, upstreamPort, identityPort, pagePort,
        };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetRequiredValue(port),
            parsed.GetRequiredValue(upstreamPort), parsed.GetRequiredValue(identityPort),
            parsed.GetRequiredValue(pagePort), cancellation));
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

    private static async Task<int> RunAsync(
        int port, int upstreamPort, int identityPort, int pagePort, CancellationToken cancellation)
    {
        await using var upstream = await StartAsync("the simulated upstream", "--upstream-port", upstreamPort,
            () => SimulatedUpstream.StartAsync(upstreamPort, [Credential], cancellation: cancellation));
        if (upstream is null) return 1;
        await using var provider = await StartAsync("the identity provider", "--identity-port", identityPort,
            () => LoginProvider.StartAsync(identityPort, cancellation));
        if (provider is null) return 1;
        await using var page = await StartAsync("the page of another origin", "--page-port", pagePort,
            () => OriginPage.StartAsync(pagePort, cancellation));
        if (page is null) return 1;

        string mapping = GatewayKey.Create(), survey = GatewayKey.Create();
        var exit = await CommandLine.RunAsync(
            () => Program.Build([], Settings(port, upstream.Address, provider, page, mapping, survey)),
            CommandLine.PrintErrors,
            app =>
            {
                var gateway = new Uri(app.Urls.First());
                provider.Register(gateway);
                page.Use(gateway);
                Console.WriteLine(Examples(gateway, upstream.Address, provider.Address, page.Address, mapping, survey));
            });
        if (exit != 0)
        {
            await Console.Error.WriteLineAsync(
                $"The gateway did not start; if port {port} is taken, choose another with --port.");
        }
        return exit;
    }

    /// <returns>Null if the port cannot be used, which was said.</returns>
    private static async Task<T?> StartAsync<T>(string what, string option, int port, Func<Task<T>> start)
        where T : class
    {
        try
        {
            return await start();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await Console.Error.WriteLineAsync(
                $"Port {port} for {what} cannot be used: {e.Message.TrimEnd('.')}. Choose another with {option}.");
            return null;
        }
    }

    private static Dictionary<string, string?> Settings(
        int port, Uri upstream, LoginProvider provider, OriginPage page, string mapping, string survey) => new()
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
            ["Authentication:Oidc:Authority"] = provider.Address.ToString(),
            ["Authentication:Oidc:ClientId"] = LoginProvider.ClientId,
            ["Authentication:Oidc:ClientSecret"] = provider.ClientSecret,
            ["Authentication:Oidc:ClientSecretFile"] = "",
            ["Authentication:Oidc:RequireHttpsMetadata"] = "false",
            ["Cors:AllowedOrigins:0"] = page.Origins[0],
            ["Cors:AllowedOrigins:1"] = page.Origins[1],
            ["Teams:mapping:Account"] = "default",
            ["Teams:mapping:Workflows:0"] = "*",
            ["Teams:mapping:Quota"] = "demo-mapping",
            ["Teams:mapping:ApiKeys:0:Id"] = "mapping-demo",
            ["Teams:mapping:ApiKeys:0:Sha256"] = KeyHash.Of(mapping).ToString(),
            [$"Teams:mapping:Claims:{DemoUser.GroupsClaim}:0"] = "mapping",
            ["Teams:survey:Account"] = "default",
            ["Teams:survey:Workflows:0"] = "survey-*",
            ["Teams:survey:Quota"] = "demo-survey",
            ["Teams:survey:ApiKeys:0:Id"] = "survey-demo",
            ["Teams:survey:ApiKeys:0:Sha256"] = KeyHash.Of(survey).ToString(),
            [$"Teams:survey:Claims:{DemoUser.GroupsClaim}:0"] = "survey",
            ["Quotas:demo-mapping:Requests"] = "600",
            ["Quotas:demo-mapping:Window"] = "00:01:00",
            ["Quotas:demo-mapping:Burst"] = "60",
            ["Quotas:demo-survey:Requests"] = "12",
            ["Quotas:demo-survey:Window"] = "00:01:00",
            ["Quotas:demo-survey:Burst"] = "5",
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Gateway"] = "Warning",
            ["Logging:Console:FormatterName"] = "simple",
            ["Logging:Console:FormatterOptions:SingleLine"] = "true",
            ["Logging:Console:FormatterOptions:TimestampFormat"] = "HH:mm:ss ",
        };

    private static string Examples(
        Uri gateway, Uri upstream, Uri provider, Uri page, string mapping, string survey) => $"""
        Gateway:   {gateway}   (contract: {gateway}docs)
        Upstream:  {upstream}   (simulated; its calls: curl {upstream}_simulator/calls)
        Login:     {provider}   (an identity provider of the demo alone)
        Page:      {page}   (another origin, which the gateway allows)

        Keys:      mapping  {mapping}   reads every workflow
                   survey   {survey}   reads survey-* only; 12 requests a minute, bursts of 5
        Users:     Mona Mapping and Sam Survey, each in the team of that name; they have no passwords

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

        6. Two jobs in a browser; log in, or enter a key. One job runs for 90 s, again and again. The other has failed.
           {gateway}view/workflows/survey-north/jobs/run-90.wide.again-20
           {gateway}view/workflows/survey-north/jobs/fail.wide

        7. A page of another origin in a browser: log in as one of the users, read a job, follow its events, log out.
           {page}

        Ctrl-C stops all of them.
        """;

    private static string QuotaExample(Uri gateway, string key) =>
        $"for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'X-Api-Key: {key}' "
        + $"{gateway}v0/workflows/survey-north/jobs/finished-1; done";
}
