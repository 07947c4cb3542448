using CsCheck;
using Gateway.Callers;

namespace Gateway.Tests.Callers;

[Trait("Kind", "Unit")]
public sealed class WorkflowRulesTests
{
    [Theory]
    [InlineData("survey-1", "survey-1", true)]
    [InlineData("survey-1", "survey-10", false)]
    [InlineData("survey-1", "survey-", false)]
    [InlineData("survey-1", "Survey-1", false)]
    [InlineData("survey-*", "survey-", true)]
    [InlineData("survey-*", "survey-10", true)]
    [InlineData("survey-*", "my-survey-10", false)]
    [InlineData("survey-*", "Survey-10", false)]
    [InlineData("survey-*", "survey", false)]
    [InlineData("*", "anything", true)]
    public void A_rule_is_an_exact_id_or_a_prefix(string rule, string workflow, bool allowed) =>
        Assert.Equal(allowed, new WorkflowRules([rule]).Allow(workflow));

    [Fact]
    public void Without_rules_nothing_is_allowed() => Assert.False(new WorkflowRules([]).Allow("survey-1"));

    [Fact]
    public void A_workflow_is_allowed_exactly_if_a_rule_matches_it()
    {
        var id = Gen.String[Gen.Char["ab"], 1, 3];
        var rule = Gen.Select(id, Gen.Bool, (text, prefix) => prefix ? text + "*" : text);
        Gen.Select(rule.Array[0, 4], id).Sample((rules, workflow) => Assert.Equal(
            rules.Any(one => one == workflow
                || (one[^1] == '*' && workflow.StartsWith(one[..^1], StringComparison.Ordinal))),
            new WorkflowRules(rules).Allow(workflow)));
    }

    [Theory]
    [InlineData("*", true)]
    [InlineData("survey-1", true)]
    [InlineData("survey-*", true)]
    [InlineData("", false)]
    [InlineData("**", false)]
    [InlineData("a*b", false)]
    [InlineData("*a", false)]
    [InlineData("a b", false)]
    [InlineData("a/b", false)]
    [InlineData("..", false)]
    public void A_wildcard_is_valid_only_at_the_end_of_a_rule(string rule, bool isRule) =>
        Assert.Equal(isRule, WorkflowRules.IsRule(rule));
}
