using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

[Trait("Kind", "Unit")]
public sealed class PurgeScopeTests
{
    [Theory]
    [InlineData("", "", "", "*", "{")]
    [InlineData("a", "", "", "a", "{a/")]
    [InlineData("a", "w", "", "a/w", "{a/w/")]
    [InlineData("a", "w", "j", "a/w/j", "{a/w/j}")]
    public void A_scope_round_trips_through_its_name_and_has_a_key_prefix(
        string account, string workflow, string job, string name, string prefix)
    {
        var scope = new PurgeScope(account, workflow, job);

        Assert.Equal(name, scope.Name);
        Assert.Equal(prefix, scope.NamePrefix);
        Assert.True(PurgeScope.TryParse(name, out var parsed));
        Assert.Equal(scope, parsed);

        var soft = scope with { IsSoft = true };
        Assert.Equal(($"soft:{name}", name, prefix), (soft.Name, soft.Target, soft.NamePrefix));
        Assert.True(PurgeScope.TryParse(soft.Name, out parsed));
        Assert.Equal(soft, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("a/")]
    [InlineData("/w")]
    [InlineData("a//j")]
    [InlineData("a/w/")]
    [InlineData("a/w/j/")]
    [InlineData("a/w/j/k")]
    public void A_malformed_scope_is_refused(string name) => Assert.False(PurgeScope.TryParse(name, out _));

    [Theory]
    [InlineData("*", true, true, true, true, true)]
    [InlineData("a", true, true, true, true, false)]
    [InlineData("a/w", true, true, false, false, false)]
    [InlineData("a/w/j", true, false, false, false, false)]
    [InlineData("A/w/j", false, false, false, false, false)]
    [InlineData("a/W", false, false, false, false, false)]
    [InlineData("j", false, false, false, false, false)]
    public void A_scope_covers_whole_names_and_its_prefix_selects_the_same_keys(string name, params bool[] covered)
    {
        Assert.True(PurgeScope.TryParse(name, out var scope));
        JobKey[] keys = [Key("a", "w", "j"), Key("a", "w", "jj"), Key("a", "ww", "j"), Key("a", "ww", "w"),
            Key("ab", "w", "j")];
        Assert.Equal(covered, keys.Select(scope.Covers));
        Assert.Equal(covered, keys.Select(key => key.Name.StartsWith(scope.NamePrefix, StringComparison.Ordinal)));
    }

    internal static JobKey Key(string account, string workflow, string job)
    {
        Assert.True(JobAddress.TryCreate(workflow, job, out var address));
        return new JobKey(account, address);
    }
}
