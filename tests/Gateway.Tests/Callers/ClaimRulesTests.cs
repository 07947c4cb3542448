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
        ClaimRule[] rules = [new("other", ["x"]), new(claim, ["y", value])];
        Assert.Equal(member, new ClaimRules(rules).Match(Claims));
    }

    [Fact]
    public void Without_rules_nobody_is_a_member() => Assert.False(new ClaimRules([]).Match(Claims));

    [Theory]
    [InlineData("""{ "roles": "a,b" }""", "roles", ",", "", false, "a|b")]
    [InlineData("""{ "roles": " a , b,,c d ," }""", "roles", ",", "", false, "a|b|c d")]
    [InlineData("""{ "roles": "a b  c" }""", "roles", " ", "", false, "a|b|c")]
    [InlineData("""{ "roles": "a::b:c" }""", "roles", "::", "", false, "a|b:c")]
    [InlineData("""{ "roles": ["a,b", "c"] }""", "roles", ",", "", false, "a|b|c")]
    [InlineData("""{ "roles": "a,b" }""", "roles", "", "", false, "a,b")]
    [InlineData("""{ "scope": "a b,c" }""", "scope", ",", "", false, "a b|c")]
    [InlineData("""{ "groups": [{ "id": 1, "name": "a" }, { "id": 2, "name": "b" }, { "id": 3 }, "c"] }""",
        "groups", "", "name", false, "a|b")]
    [InlineData("""{ "groups": [{ "id": 1 }, { "id": 2 }] }""", "groups", "", "id", false, "1|2")]
    [InlineData("""{ "group": { "name": "a" } }""", "group", "", "name", false, "a")]
    [InlineData("""{ "groups": [{ "names": ["a", "b"] }] }""", "groups", "", "names", false, "a|b")]
    [InlineData("""{ "groups": [{ "in": { "name": "a,b" } }] }""", "groups", ",", "in.name", false, "a|b")]
    [InlineData("""{ "groups": [{ "name": "a" }] }""", "groups", "", "", false, "")]
    [InlineData("""{ "urn:x:roles": { "a": { "1": "org" }, "b": {} } }""", "urn:x:roles", "", "", true, "a|b")]
    [InlineData("""{ "urn:x:roles": [{ "a": 1 }, { "b": 2 }] }""", "urn:x:roles", "", "", true, "a|b")]
    [InlineData("""{ "roles": ["a"] }""", "roles", "", "", true, "")]
    [InlineData("""{ "https://example.com/roles": ["a"], "https://example": { "com/roles": ["b"] } }""",
        "https://example.com/roles", "", "", false, "a")]
    public void A_rule_says_how_values_stand_in_a_claim(
        string claims, string claim, string separator, string member, bool keys, string values) =>
        Assert.Equal(values,
            string.Join('|', new ClaimSet(JsonElement.Parse(claims)).Values(claim, separator, member, keys)));

    [Theory]
    [InlineData("1800000000", 1800000000)]
    [InlineData("1800000000.5", 1800000000)]
    [InlineData("\"1800000000\"", 1800000000)]
    [InlineData("99999999999999", null)]
    [InlineData("\"soon\"", null)]
    [InlineData("null", null)]
    public void The_end_of_a_token_is_read_in_each_form_that_its_verification_accepts(string exp, int? seconds) =>
        Assert.Equal(seconds,
            new ClaimSet(JsonElement.Parse($$"""{ "exp": {{exp}} }""")).Expiry?.ToUnixTimeSeconds());

    [Theory]
    [InlineData("https://a.example", "https://a.example", true)]
    [InlineData("https://a.example/", "https://a.example", true)]
    [InlineData("https://b.example", "https://a.example", false)]
    [InlineData("https://A.example", "https://a.example", false)]
    [InlineData("https://a.example/x", "https://a.example", false)]
    public void A_rule_for_an_issuer_counts_only_for_its_callers(string issuer, string of, bool member)
    {
        var claims = new ClaimSet(JsonElement.Parse($$"""{ "iss": "{{issuer}}", "groups": ["g"] }"""));
        var rule = new ClaimRule("groups", ["g"]) { Issuers = [of] };
        Assert.Equal(member, new ClaimRules([rule]).Match(claims));
        Assert.Equal(member ? ClaimMismatch.OtherValues : ClaimMismatch.OtherIssuer, rule.WhyNot(claims));
        Assert.False(rule.Matches(new ClaimSet(JsonElement.Parse("""{ "groups": ["g"] }"""))));
    }

    [Theory]
    [InlineData("""{ "groups": ["other"] }""", "OtherValues")]
    [InlineData("""{ "groups": [] }""", "NoValues")]
    [InlineData("""{ "groups": [{ "name": "g" }] }""", "NoValues")]
    [InlineData("""{ "Groups": ["g"] }""", "Absent")]
    [InlineData("""{ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "x" } } }""",
        "LeftOut")]
    [InlineData("""{ "hasgroups": true }""", "LeftOut")]
    [InlineData("""{ "hasgroups": "true" }""", "LeftOut")]
    [InlineData("""{ "hasgroups": false }""", "Absent")]
    [InlineData("""{ "_claim_names": { "roles": "src1" } }""", "Absent")]
    [InlineData("""{ "_claim_names": "groups" }""", "Absent")]
    public void A_rule_says_why_it_does_not_match(string claims, string why) => Assert.Equal(
        Enum.Parse<ClaimMismatch>(why), new ClaimRule("groups", ["g"]).WhyNot(new ClaimSet(JsonElement.Parse(claims))));
}
