using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Simulator;

/// <summary>Serves the simulated API on its own port until it is disposed.</summary>
internal sealed class SimulatedUpstream : IAsyncDisposable
{
    private readonly WebApplication _app;

    private SimulatedUpstream(
        WebApplication app,
        Uri address,
        Credentials credentials,
        Faults faults,
        Lives lives,
        Ledger ledger,
        ConcurrentDictionary<string, RequestDelegate> others) =>
        (_app, Address, Credentials, Faults, Lives, Ledger, Others) =
            (app, address, credentials, faults, lives, ledger, others);

    /// <summary>The address of the API, such as <c>http://127.0.0.1:43121/</c>.</summary>
    public Uri Address { get; }

    public Credentials Credentials { get; }

    public Faults Faults { get; }

    public Lives Lives { get; }

    public Ledger Ledger { get; }

    /// <summary>
    /// Scripted operations by their whole path. They also require a credential.
    /// </summary>
    public ConcurrentDictionary<string, RequestDelegate> Others { get; }

    /// <summary>Starts on loopback.</summary>
    /// <param name="port">The port; 0 picks a free one.</param>
    /// <param name="credentials">The accepted credentials; null for <see cref="Credentials.Default"/>.</param>
    /// <param name="clock">The clock of jobs and delays; null for the system's.</param>
    /// <param name="https">Serves TLS, with HTTP/1.1 and HTTP/2; null for plain HTTP/1.1.</param>
    /// <param name="clients">The authority of certificates that clients must show; null: they need none.</param>
    /// <param name="quiet">False writes a line for each call to the console.</param>
    /// <param name="cancellation">Cancels the start.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    /// <exception cref="SocketException">The system does not permit listening on the address or the port.</exception>
    public static Task<SimulatedUpstream> StartAsync(
        int port = 0,
        IEnumerable<string>? credentials = null,
        TimeProvider? clock = null,
        X509Certificate2? https = null,
        X509Certificate2? clients = null,
        bool quiet = true,
        CancellationToken cancellation = default) =>
        StartAsync(new IPEndPoint(IPAddress.Loopback, port), credentials, clock, https, clients, quiet, cancellation);

    /// <summary>Starts on any address.</summary>
    public static async Task<SimulatedUpstream> StartAsync(
        IPEndPoint endpoint,
        IEnumerable<string>? credentials = null,
        TimeProvider? clock = null,
        X509Certificate2? https = null,
        X509Certificate2? clients = null,
        bool quiet = true,
        CancellationToken cancellation = default)
    {
        (var accepted, var faults, var ledger) = (new Credentials(credentials), new Faults(), new Ledger());
        var lives = new Lives(clock ?? TimeProvider.System);
        var others = new ConcurrentDictionary<string, RequestDelegate>();

        WebApplication app = Build(endpoint, https, clients, quiet);
        try
        {
            var log = app.Services.GetRequiredService<ILogger<Operation>>();
            Map(app, new Operation(accepted, faults, lives, ledger, others, clock ?? TimeProvider.System, log));
            Control.Map(app, ledger, faults, lives, accepted);
            await app.StartAsync(cancellation);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var bound = new Uri(app.Urls.First());
        var address = new UriBuilder(bound.Scheme, Reachable(endpoint.Address).ToString(), bound.Port);
        return new SimulatedUpstream(app, address.Uri, accepted, faults, lives, ledger, others);
    }

    /// <summary>Stops the server, and aborts calls that hang.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static WebApplication Build(
        IPEndPoint endpoint, X509Certificate2? https, X509Certificate2? clients, bool quiet)
    {
        // The empty builder ignores the settings and the environment of the hosting process.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(endpoint, listener =>
            {
                listener.Protocols = https is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                if (https is not null)
                    listener.UseHttps(https, options => Demand(options, clients));
            });
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, OwnedLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(500));
        if (!quiet)
        {
            builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
            builder.Logging.AddFilter("Microsoft", LogLevel.None);
        }
        return builder.Build();
    }

    private static void Map(WebApplication app, Operation operation)
    {
        CancellationToken stopping = app.Lifetime.ApplicationStopping;
        app.Map(Operation.Route, context => operation.AnswerAsync(context, stopping));
        app.MapFallback("{**path}", operation.AnswerUnknownAsync);
    }

    private static void Demand(HttpsConnectionAdapterOptions options, X509Certificate2? authority)
    {
        if (authority is null)
            return;
        options.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        options.ClientCertificateValidation = (certificate, sent, _) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            if (sent is not null)
                chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
            return chain.Build(certificate);
        };
    }

    private static IPAddress Reachable(IPAddress listen) =>
        listen.Equals(IPAddress.Any) ? IPAddress.Loopback
        : listen.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
        : listen;

    /// <summary>Ignores the signals of the process. Its owner disposes the simulator.</summary>
    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
