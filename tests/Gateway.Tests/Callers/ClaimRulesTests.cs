using System.Text.Json;
using Gateway.Callers;

namespace Gateway.Tests.Callers;

[Trait("Kind", "Unit")]
public sealed class ClaimRulesTests
{
    private static readonly ClaimSet Claims = new(JsonElement.Parse("""
        {
          "sub": "u1", "groups": ["mapping", "survey", 7, null, {"x": 1}], "email": "a@b.example", "level": 3,
            "admin": true, "nothing": null,
          "scope": "jobs:read jobs:list", "scp": "one two", "name": "Ann Lee",
          "realm_access": { "roles": ["reader"], "deep": { "er": "yes" } }, "a.b": "flat", "a": { "b": "nested" },
            "c": { "d.e": "half" }
        }
        """));

    [Theory]
    [InlineData("sub", "u1")]
    [InlineData("groups", "mapping survey 7")]
    [InlineData("level", "3")]
    [InlineData("admin", "true")]
    [InlineData("scope", "jobs:read jobs:list")]
    [InlineData("scp", "one two")]
    [InlineData("realm_access.roles", "reader")]
    [InlineData("realm_access.deep.er", "yes")]
    [InlineData("a.b", "flat")]
    [InlineData("c.d.e", "half")]
    [InlineData("nothing", "")]
    [InlineData("missing", "")]
    [InlineData("realm_access", "")]
    [InlineData("realm_access.missing", "")]
    [InlineData("sub.x", "")]
    [InlineData(".", "")]
    [InlineData("", "")]
    [InlineData("GROUPS", "")]
    public void A_claim_has_the_values_that_are_listed_in_it(string name, string values) =>
        Assert.Equal(values, string.Join(' ', Claims.Values(name)));

    [Fact]
    public void Only_scope_claims_are_split_at_spaces() => Assert.Equal(["Ann Lee"], Claims.Values("name"));

    [Theory]
    [InlineData("groups", "mapping", true)]
    [InlineData("groups", "survey", true)]
    [InlineData("groups", "Mapping", false)]
    [InlineData("groups", "map", false)]
    [InlineData("groups", "mapping survey", false)]
    [InlineData("scope", "jobs:read", true)]
    [InlineData("missing", "mapping", false)]
    public void A_caller_with_any_listed_value_of_any_listed_claim_is_a_member(string claim, string value, bool member)
    {
        var rules = new Dictionary<string, List<string>> { ["other"] = ["x"], [claim] = ["y", value] };
        Assert.Equal(member, new ClaimRules(rules).Match(Claims));
    }

    [Fact]
    public void Without_rules_nobody_is_a_member() => Assert.False(new ClaimRules([]).Match(Claims));
}
