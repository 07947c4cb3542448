using System.Net;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Gateway.Tests.RequestPath;

namespace Gateway.Tests.Callers.Sessions;

/// <summary>
/// Runs each flow with two providers that others wrote, and compares the results with the table in
/// <c>docs/identity.md</c>.
/// </summary>
public sealed class ProviderMatrixTests
{
    private const string Heading = "| flow | OpenIddict | oidc-provider |";

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    private static readonly (string Name, Func<Flow, Task<string>> Run)[] Flows =
    [
        ("login with code, PKCE, state and nonce", LogInAsync),
        ("login with a pushed request (RFC 9126)", LogInAsync),
        ("the provider's answer about a session in use", RefreshAsync),
        ("logout", LogOutAsync),
        ("back-channel logout", BackChannelAsync),
        ("login after a roll-over of keys", RollOverAsync),
        ("wrong client secret", WrongSecretAsync),
        ("provider away", AwayAsync),
    ];

    [Fact]
    public async Task The_table_of_providers_and_flows_is_what_happens()
    {
        var lines = new List<string> { Heading, "|---|---|---|" };
        foreach (var (name, run) in Flows)
        {
            var cells = new List<string>();
            foreach (var create in (Func<Provider>[])[() => new OpenIddictProvider(), () => new NpmProvider()])
            {
                await using var flow = new Flow(create(), name.Contains("pushed", StringComparison.Ordinal));
                cells.Add(await run(flow));
            }
            lines.Add($"| {name} | {string.Join(" | ", cells)} |");
        }
        var made = string.Join('\n', lines);
        var page = await File.ReadAllTextAsync(
            Path.Combine(Repository.Root, "docs", "identity.md"), World.Cancellation);
        var known = page.Contains(Heading, StringComparison.Ordinal)
            ? (Heading + page.Split(Heading)[1]).Split("\n\n")[0].TrimEnd() : "";
        Assert.True(made == known, $"The table must be\n{made}\nand is\n{known}");
    }

    private static async Task<string> LogInAsync(Flow flow)
    {
        await flow.StartAsync();
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        return await ResultAsync(landed, flow, visitor);
    }

    private static async Task<string> RefreshAsync(Flow flow)
    {
        await flow.StartAsync(("Authentication:Oidc:RecheckInterval", $"{Interval}"),
            ("Authentication:Oidc:Scopes:0", "openid"), ("Authentication:Oidc:Scopes:1", "profile"),
            ("Authentication:Oidc:Scopes:2", "offline_access"));
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        Assert.Equal("works", await ResultAsync(landed, flow, visitor));
        flow.Provider.SetGroups("survey");
        flow.World.Clock!.Advance(Interval);
        return await visitor.StatusAsync(flow.Gateway, "harbour") == HttpStatusCode.Forbidden
            && await visitor.StatusAsync(flow.Gateway) == HttpStatusCode.OK ? "new claims apply" : "no new claims";
    }

    private static async Task<string> LogOutAsync(Flow flow)
    {
        await flow.StartAsync();
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        var logout = await visitor.LogOutAsync(flow.Gateway, "?returnUrl=/bye");
        var (back, isAsked) = await flow.Provider.LogOutAsync(
            visitor, new Uri(logout.GetProperty("logoutUrl").GetString()!));
        using var end = await visitor.GetAsync(back!);
        if (end.Headers.Location?.ToString() != "/bye") return $"ends at {end.Headers.Location}";
        return isAsked ? "works, the provider asks the user" : "works";
    }

    private static async Task<string> BackChannelAsync(Flow flow)
    {
        await flow.StartAsync();
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        Assert.Equal("works", await ResultAsync(landed, flow, visitor));
        await flow.Provider.BackChannelLogOutAsync(visitor, flow.Gateway);
        for (var i = 0; i < 100 && await visitor.StatusAsync(flow.Gateway) == HttpStatusCode.OK; i++)
            await Task.Delay(50, World.Cancellation);
        return await visitor.StatusAsync(flow.Gateway) == HttpStatusCode.Unauthorized
            ? "ends the session" : "no effect";
    }

    private static async Task<string> RollOverAsync(Flow flow)
    {
        await flow.StartAsync();
        using var before = flow.Provider.NewVisitor();
        using var first = await flow.Provider.LogInAsync(before, flow.Gateway);
        await flow.Provider.RollOverAsync();
        flow.World.Clock!.Advance(TimeSpan.FromSeconds(6));
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        return await ResultAsync(landed, flow, visitor);
    }

    private static async Task<string> WrongSecretAsync(Flow flow)
    {
        await flow.StartAsync(("Authentication:Oidc:ClientSecret", "another-secret"));
        using var visitor = flow.Provider.NewVisitor();
        using var landed = await flow.Provider.LogInAsync(visitor, flow.Gateway);
        return await ResultAsync(landed, flow, visitor);
    }

    private static async Task<string> AwayAsync(Flow flow)
    {
        await flow.StartAsync();
        await flow.Provider.StopAsync();
        using var visitor = flow.Provider.NewVisitor();
        using var answer = await visitor.GetAsync(new Uri(flow.Gateway, "bff/login"));
        return await ResultAsync(answer, flow, visitor);
    }

    private static async Task<string> ResultAsync(HttpResponseMessage landed, Flow flow, Visitor visitor)
    {
        if (landed.StatusCode != HttpStatusCode.Redirect)
            return $"`{(await BoundTests.ProblemTypeAsync(landed))["/problems/".Length..]}`";
        var status = await visitor.StatusAsync(flow.Gateway, "harbour");
        return status == HttpStatusCode.OK ? "works" : $"{status}";
    }

    /// <summary>A gateway with a stopped clock, and a provider.</summary>
    private sealed class Flow(Provider provider, bool isPushed) : IAsyncDisposable
    {
        public Provider Provider => provider;

        public World World { get; private set; } = null!;

        public Uri Gateway => World.Gateway.Address;

        public async Task StartAsync(params (string Key, string? Value)[] settings)
        {
            World = await World.StopClockAsync(provider.Settings(settings));
            await provider.StartAsync(Gateway, isPushed);
        }

        public async ValueTask DisposeAsync()
        {
            if (World is not null) await World.DisposeAsync();
            await provider.DisposeAsync();
        }
    }

    private abstract class Provider : IAsyncDisposable
    {
        public abstract (string Key, string? Value)[] Settings(params (string Key, string? Value)[] others);

        public abstract Task StartAsync(Uri gateway, bool isPushed);

        public abstract Task StopAsync();

        public abstract Task RollOverAsync();

        public abstract Visitor NewVisitor();

        public abstract Task<HttpResponseMessage> LogInAsync(Visitor visitor, Uri gateway);

        /// <returns>The address to which the provider sends the browser, and whether it asks the user.</returns>
        public abstract Task<(Uri? Back, bool IsAsked)> LogOutAsync(Visitor visitor, Uri page);

        public abstract Task BackChannelLogOutAsync(Visitor visitor, Uri gateway);

        /// <summary>Changes the groups of the user.</summary>
        public abstract void SetGroups(string group);

        public abstract ValueTask DisposeAsync();
    }

    private sealed class OpenIddictProvider : Provider
    {
        private readonly IdentityProvider _provider = new();

        public override (string Key, string? Value)[] Settings(params (string Key, string? Value)[] others) =>
            UserWorld.Settings(_provider, others);

        public override async Task StartAsync(Uri gateway, bool isPushed)
        {
            _provider.TakesPushedRequests = isPushed;
            _provider.Register(gateway);
            await _provider.StartAsync();
        }

        public override Task StopAsync() => _provider.StopAsync();

        public override Task RollOverAsync()
        {
            _provider.RotateSigningKey(keepOld: false);
            return Task.CompletedTask;
        }

        public override Visitor NewVisitor() => Visitor.Of(_provider);

        public override Task<HttpResponseMessage> LogInAsync(Visitor visitor, Uri gateway) =>
            visitor.LogInAsync(_provider, gateway);

        public override async Task<(Uri? Back, bool IsAsked)> LogOutAsync(Visitor visitor, Uri page)
        {
            using var answer = await visitor.GetAsync(page);
            return (answer.Headers.Location, false);
        }

        // The provider sends no logout tokens itself.
        public override async Task BackChannelLogOutAsync(Visitor visitor, Uri gateway)
        {
            using var form = new FormUrlEncodedContent(
                [KeyValuePair.Create("logout_token", _provider.LogoutToken(User.Alice.Subject))]);
            using var answer = await visitor.SendAsync(
                HttpMethod.Post, new Uri(gateway, "bff/backchannel-logout"), form);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        public override void SetGroups(string group) => _provider.Users["alice"] = User.Alice with { Groups = [group] };

        public override ValueTask DisposeAsync() => _provider.DisposeAsync();
    }

    private sealed class NpmProvider : Provider
    {
        private readonly CertifiedProvider _provider = new();

        public override (string Key, string? Value)[] Settings(params (string Key, string? Value)[] others) =>
            _provider.Settings(others);

        public override async Task StartAsync(Uri gateway, bool isPushed)
        {
            _provider.Register(gateway);
            _provider.Features["pushedAuthorizationRequests"] =
                new { enabled = isPushed, requirePushedAuthorizationRequests = isPushed };
            await _provider.StartAsync();
        }

        public override Task StopAsync() => _provider.StopAsync();

        public override async Task RollOverAsync()
        {
            await _provider.StopAsync();
            _provider.AddKey();
            _provider.RemoveOldKeys();
            await _provider.StartAsync();
        }

        public override Visitor NewVisitor() => Visitor.Of(_provider.Listens);

        public override Task<HttpResponseMessage> LogInAsync(Visitor visitor, Uri gateway) =>
            _provider.LogInAsync(visitor, gateway);

        public override async Task<(Uri? Back, bool IsAsked)> LogOutAsync(Visitor visitor, Uri page) =>
            (await _provider.LogOutAsync(visitor, page), true);

        public override Task BackChannelLogOutAsync(Visitor visitor, Uri gateway) => _provider.LogOutAsync(visitor);

        public override void SetGroups(string group) => _provider.SetGroups("alice", group);

        public override ValueTask DisposeAsync() => _provider.DisposeAsync();
    }
}
