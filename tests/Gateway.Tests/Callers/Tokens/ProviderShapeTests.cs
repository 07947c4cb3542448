using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Configuration;
using Gateway.Tests.Infrastructure;
using Gateway.Tests.Infrastructure.Identity;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Callers.Tokens;

/// <summary>
/// The configurations and the tokens of <c>docs/identity.md</c>. Each configuration accepts the token of its provider,
/// and refuses similar tokens that are not for the gateway: those of <c>provider-shapes.json</c>, which says how the
/// claims differ (null: no such claim), and the answer.
/// </summary>
public sealed class ProviderShapeTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "identity.md"));

    private static readonly Dictionary<string, JsonElement> Shapes = JsonElement.Parse(File.ReadAllText(
            Path.Combine(Repository.Root, "tests/Gateway.Tests/Callers/Tokens/provider-shapes.json")))
        .EnumerateArray().ToDictionary(shape => shape.GetProperty("provider").GetString()!);

    public static TheoryData<string> Providers => [.. Shapes.Keys];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_configuration_of_a_provider_accepts_its_tokens_and_refuses_similar_ones(string heading)
    {
        var shape = Shapes[heading];
        var type = shape.GetProperty("type").GetString();
        var settings = Settings(Block(heading, "jsonc"));
        var token = JsonNode.Parse(Block(heading, "json"))!.AsObject();
        var authority = settings["Authentication:Jwt:Authority"]!;
        Assert.Equal(authority.TrimEnd('/'), token["iss"]!.GetValue<string>().TrimEnd('/'));
        var metadata = settings.GetValueOrDefault("Authentication:Jwt:MetadataAddress");
        Assert.Equal(shape.GetProperty("discovery").GetString(), metadata
            ?? $"{authority.TrimEnd('/')}/.well-known/openid-configuration");

        await using var provider = await TokenIssuer.StartAsync(token["iss"]!.GetValue<string>());
        await using var world = await World.StartAsync(
            [.. settings.Select(setting => (setting.Key, setting.Value)), .. provider.Reached(),
                ("Authentication:FailedAttempts", "0")]);

        Assert.Equal("200", await AskAsync(world, provider.Sign(token, type)));
        Assert.Equal("401 The token is not signed by a key of its provider.",
            await AskAsync(world, provider.Sign(token, type, SigningKeys.NewKey())));
        var ago = DateTimeOffset.UtcNow.AddMinutes(-1).ToUnixTimeSeconds();
        Assert.Equal("401 The token has expired.",
            await AskAsync(world, provider.Sign(Changed(token, $$"""{ "exp": {{ago}} }"""), type)));
        foreach (var other in shape.GetProperty("others").EnumerateArray())
        {
            var (what, answer) = (other.GetProperty("what").GetString(), other.GetProperty("answer").GetString());
            var changed = provider.Sign(Changed(token, other.GetProperty("change").GetRawText()), type);
            Assert.Equal((what, answer), (what, await AskAsync(world, changed)));
        }
    }

    [Fact]
    public void Each_configuration_of_the_page_is_accepted()
    {
        var blocks = Page.Split("```jsonc\n")[1..].Select(rest => rest.Split("```")[0]).ToList();
        // Two further blocks are about several providers, and a provider within a cluster.
        Assert.Equal(Shapes.Count + 2, blocks.Count);
        foreach (var block in blocks)
        {
            var errors = new ConfigurationErrors();
            var settings = Settings(block);
            settings["Upstream:Accounts:default:Credential"] = Canary.Credential;
            settings["Quotas:standard:Requests"] = "600";
            var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
            var options = StrictBinding.Bind<GatewayOptions>(configuration, errors);
            options.Check(errors);
            options.Warn(errors, DateTimeOffset.UtcNow, long.MaxValue);
            Assert.Equal("", string.Join('\n', errors.Lines));
        }
    }

    /// <summary>Returns the first block of code of a language below a heading.</summary>
    private static string Block(string heading, string language)
    {
        var section = Page.Split($"# {heading}\n")[1].Split("\n#")[0];
        return section.Split($"```{language}\n")[1].Split("```")[0];
    }

    private static Dictionary<string, string?> Settings(string json)
    {
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json));
        return new ConfigurationBuilder().AddJsonStream(stream).Build().AsEnumerable()
            .Where(setting => setting.Value is not null)
            .ToDictionary(setting => setting.Key, setting => setting.Value);
    }

    private static JsonObject Changed(JsonObject claims, string change)
    {
        var changed = claims.DeepClone().AsObject();
        foreach (var (name, value) in JsonNode.Parse(change)!.AsObject())
        {
            if (value is null) changed.Remove(name);
            else changed[name] = value.DeepClone();
        }
        return changed;
    }

    private static async Task<string> AskAsync(World world, string token)
    {
        using var client = world.Gateway.Client(("Authorization", $"Bearer {token}"));
        using var answer = await client.GetAsync(
            new Uri("v0/workflows/survey-1/jobs/finished-1", UriKind.Relative), World.Cancellation);
        if (answer.IsSuccessStatusCode) return "200";
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(World.Cancellation);
        return $"{(int)answer.StatusCode} {problem.GetProperty("detail").GetString()}";
    }
}
