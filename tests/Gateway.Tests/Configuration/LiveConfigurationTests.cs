using System.Collections;
using Gateway.Configuration;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Configuration;

public sealed class LiveConfigurationTests
{
    private static readonly string Hash = new('a', 64);

    [Theory]
    [InlineData("Jobs:RuningLifetime", "00:00:01", "Jobs:RuningLifetime: is not an option")]
    [InlineData("Jobs:RunningLifetime", "soon", "Jobs:RunningLifetime: 'soon' is not a duration")]
    [InlineData("Jobs:RunningLifetime", "10", "Jobs:RunningLifetime: must be from 00:00:00 to 01:00:00")]
    [InlineData("Jobs:MaxBodyBytes", "much", "Jobs:MaxBodyBytes: 'much' is not a whole number")]
    [InlineData("Jobs:VerifyIds", "maybe", "Jobs:VerifyIds: 'maybe' is not true or false")]
    [InlineData("Jobs:VerifyIds:Really", "true", "Jobs:VerifyIds: is one value, not a section")]
    [InlineData("Upstream:BaseAddress", "ftp://x", "Upstream:BaseAddress: must be an absolute http or https address")]
    [InlineData("Upstream:BaseAddress", "https://user:secret@x", "Upstream:BaseAddress: must not hold")]
    [InlineData("Upstream:Accounts:default:Credential", "", "Upstream:Accounts:default:Credential: no upstream credential is configured")]
    [InlineData("Upstream:Accounts:default:Credential", "short", "Upstream:Accounts:default:Credential: a credential is")]
    [InlineData("Upstream:Accounts:default:CredentialFile", "/nowhere", "Upstream:Accounts:default: has both")]
    [InlineData("Upstream:Accounts:other:CredentialFile", "/nowhere", "Upstream:Accounts:other:CredentialFile: the file cannot be read")]
    [InlineData("Jobs:MaxBodyBytes", "", "Jobs:MaxBodyBytes: is empty, not a whole number")]
    [InlineData("Upstream:BaseAddress", "", "Upstream:BaseAddress: is empty, not an address")]
    [InlineData("ConnectionStrings:Redis", "allowAdmin=true", "ConnectionStrings:Redis: names no server")]
    [InlineData("Teams:a:Account", "none", "Teams:a:Account: there is no account 'none'")]
    [InlineData("Teams:a:Quota", "none", "Teams:a:Quota: there is no quota 'none'")]
    [InlineData("Teams:a:Workflows:1", "a*b", "Teams:a:Workflows:1: 'a*b' is neither")]
    [InlineData("Teams:a:ApiKeys:0:Sha256", "abc", "Teams:a:ApiKeys:0:Sha256: must be the SHA-256")]
    [InlineData("Teams:a:ApiKeys:0:ExpiresAt", "later", "Teams:a:ApiKeys:0:ExpiresAt: 'later' is not a date and time")]
    [InlineData("Teams:a:ApiKeys:0:ExpiresAtt", "2027-01-01", "Teams:a:ApiKeys:0:ExpiresAtt: is not an option")]
    [InlineData("Quotas:q:Requests", "0", "Quotas:q:Requests: must be from 1")]
    [InlineData("Quotas:q:Requests", "1000000", "Quotas:q:Burst: must be at least")]
    [InlineData("Management:Port", "70000", "Management:Port: must be from 0 to 65535")]
    [InlineData("ConnectionStrings:Redis", "host,nonsense=1", "ConnectionStrings:Redis: is not a StackExchange.Redis connection string")]
    public void A_mistake_is_a_line_that_begins_with_its_key(string key, string value, string line)
    {
        var settings = Right();
        settings[key] = value;

        var wrong = Assert.Throws<WrongConfigurationException>(() => Read(settings));

        Assert.StartsWith(line, Assert.Single(wrong.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void All_mistakes_are_told_at_once()
    {
        var settings = Right();
        (settings["Jobs:StaleIfError"], settings["Upstream:Timeout"], settings["Teams:a:Quota"]) = ("9.00:00:00", "00:00:00", "none");
        Assert.Equal(3, Assert.Throws<WrongConfigurationException>(() => Read(settings)).Lines.Count);
    }

    [Fact]
    public void One_key_cannot_be_two_teams()
    {
        var settings = Right();
        (settings["Teams:b:ApiKeys:0:Id"], settings["Teams:b:ApiKeys:0:Sha256"]) = ("b", Hash.ToUpperInvariant());
        Assert.Contains("is the same key as Teams:a:ApiKeys:0", Assert.Throws<WrongConfigurationException>(() => Read(settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Appsettings_lists_every_option_with_its_default()
    {
        var file = new ConfigurationBuilder().AddJsonFile(Path.Combine(Repository.Root, "appsettings.json")).Build();
        var listed = file.Get<GatewayOptions>()!;

        AssertListed(file, listed, new GatewayOptions());
        AssertListed(file.GetSection("Quotas:standard"), listed.Quotas["standard"], new Limits.QuotaOptions());
        AssertListed(file.GetSection("Upstream:Accounts:default"), listed.Upstream.Accounts["default"], new Gateway.Upstream.AccountOptions());
    }

    private static void AssertListed(IConfiguration section, object listed, object defaults)
    {
        foreach (var property in defaults.GetType().GetProperties().Where(property => property.CanWrite))
        {
            var child = section.GetSection(property.Name);
            object? value = property.GetValue(listed), fallback = property.GetValue(defaults);
            var isSection = fallback is not (null or string or Uri or IEnumerable or ValueType);
            Assert.True(child.Exists() || value is IEnumerable, $"{child.Path} is not listed");
            if (isSection) AssertListed(child, value!, fallback!);
            else if (fallback is not IDictionary) Assert.Equal(fallback, value);
        }
    }

    private static GatewayOptions Read(Dictionary<string, string?> settings) =>
        LiveConfiguration.Read(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());

    private static Dictionary<string, string?> Right() => new()
    {
        ["Upstream:Accounts:default:Credential"] = "a-credential",
        ["Quotas:standard:Requests"] = "600",
        ["Quotas:q:Requests"] = "600",
        ["Teams:a:Workflows:0"] = "*",
        ["Teams:a:ApiKeys:0:Id"] = "a",
        ["Teams:a:ApiKeys:0:Sha256"] = Hash,
    };
}
