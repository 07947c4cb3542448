using System.Text.Json;
using Gateway.Callers;
using Gateway.Configuration;
using Microsoft.Extensions.Configuration;

namespace Gateway.Tests.Callers;

/// <summary>How the claims of a team are configured.</summary>
[Trait("Kind", "Unit")]
public sealed class TeamOptionsTests
{
    [Theory]
    [InlineData("Claims:cognito:groups:0", "Teams:a:Claims:cognito:groups")]
    [InlineData("Claims:cognito:groups", "Teams:a:Claims:cognito:groups")]
    [InlineData("Claims:https://example.com/roles:1", "Teams:a:Claims:https://example.com/roles")]
    [InlineData("Claims:urn:x:1:0", "Teams:a:Claims:urn:x:1")]
    public void A_claim_whose_name_has_a_colon_is_refused_with_the_form_that_works(string setting, string key)
    {
        var errors = new ConfigurationErrors();
        Bind(errors, ($"Teams:a:{setting}", "a-value"), ("Teams:a:Claims:groups:0", "b"));
        Assert.Equal($"{key}: has a colon in its name; a claim whose name has a colon stands in ClaimRules: "
            + "[ { \"Claim\": \"the:name\", \"Values\": [ \"a value\" ] } ]", Assert.Single(errors.Lines));
    }

    [Fact]
    public void All_values_of_such_a_claim_are_one_error()
    {
        var errors = new ConfigurationErrors();
        Bind(errors, ("Teams:a:Claims:x:y:0", "b"), ("Teams:a:Claims:x:y:1", "c"), ("Teams:a:Claims:x:z:0", "d"));
        Assert.Equal(["Teams:a:Claims:x:y", "Teams:a:Claims:x:z"],
            errors.Lines.Select(line => line.Split(": has ")[0]));
    }

    [Fact]
    public void The_form_that_works_also_works_as_environment_variables()
    {
        var errors = new ConfigurationErrors();
        var prefix = $"T{Guid.NewGuid():N}_";
        Environment.SetEnvironmentVariable($"{prefix}Teams__a__ClaimRules__0__Claim", "https://example.com/roles");
        Environment.SetEnvironmentVariable($"{prefix}Teams__a__ClaimRules__0__Values__0", "mapper");
        var options = StrictBinding.Bind<GatewayOptions>(
            new ConfigurationBuilder().AddEnvironmentVariables(prefix).Build(), errors);
        Environment.SetEnvironmentVariable($"{prefix}Teams__a__ClaimRules__0__Claim", null);
        Environment.SetEnvironmentVariable($"{prefix}Teams__a__ClaimRules__0__Values__0", null);
        Assert.Empty(errors.Lines);
        var rule = Assert.Single(options.Teams["a"].RulesInForce());
        Assert.Equal(("https://example.com/roles", "mapper"), (rule.Claim, Assert.Single(rule.Values)));
    }

    [Theory]
    [InlineData("true", "true", true)]
    [InlineData("\"true\"", "true", true)]
    [InlineData("false", "false", true)]
    [InlineData("false", "true", false)]
    [InlineData("7", "7", true)]
    [InlineData("1.50", "1.50", true)]
    public void A_value_may_be_written_as_the_token_has_it(string configured, string claimed, bool isMember)
    {
        var errors = new ConfigurationErrors();
        using var file = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(
            $$"""{ "Teams": { "a": { "Claims": { "c": [ {{configured}} ] } } } }"""));
        var options = StrictBinding.Bind<GatewayOptions>(
            new ConfigurationBuilder().AddJsonStream(file).Build(), errors);
        Assert.Empty(errors.Lines);
        Assert.Equal(isMember, Assert.Single(options.Teams["a"].RulesInForce()).Matches(
            new ClaimSet(JsonElement.Parse($$"""{ "c": {{claimed}} }"""))));
    }

    [Fact]
    public void Rules_are_for_the_issuer_that_they_name_or_else_for_those_of_their_team()
    {
        var options = Bind(new ConfigurationErrors(), ("Teams:a:Issuers:0", "https://a.example/"),
            ("Teams:a:Claims:groups:0", "g"),
            ("Teams:a:ClaimRules:0:Claim", "roles"), ("Teams:a:ClaimRules:0:Values:0", "r"),
            ("Teams:a:ClaimRules:1:Claim", "roles"), ("Teams:a:ClaimRules:1:Values:0", "r"),
            ("Teams:a:ClaimRules:1:Issuer", "https://b.example/"));
        Assert.Equal(["https://a.example", "https://a.example", "https://b.example"],
            options.Teams["a"].RulesInForce().Select(rule => Assert.Single(rule.Issuers)));
    }

    [Theory]
    [InlineData("Authentication:Jwt:Others:b:CertificateAuthority", false)]
    [InlineData("Authentication:Jwt:Others:b:Authority", true)]
    [InlineData("Authentication:Jwt:ClientIds:0", true)]
    [InlineData("Teams:a:ClaimRules:0:Claim", false)]
    public void Certificates_and_rules_need_no_restart(string key, bool needsRestart) =>
        Assert.Equal(needsRestart, GatewayOptions.IsReadAtStart(key));

    private static GatewayOptions Bind(ConfigurationErrors errors, params (string Key, string Value)[] settings) =>
        StrictBinding.Bind<GatewayOptions>(new ConfigurationBuilder().AddInMemoryCollection(
            settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build(), errors);
}
