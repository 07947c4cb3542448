using Gateway.Caching;
using Gateway.Jobs;

namespace Gateway.Tests.Caching;

public sealed class PurgeScopeTests
{
    [Theory]
    [InlineData("", "", "", "*", "{")]
    [InlineData("a", "", "", "a", "{a/")]
    [InlineData("a", "w", "", "a/w", "{a/w/")]
    [InlineData("a", "w", "j", "a/w/j", "{a/w/j}")]
    public void It_has_a_name_to_be_read_again_and_a_prefix_to_be_looked_for(string account, string workflow, string job, string name, string prefix)
    {
        var scope = new PurgeScope(account, workflow, job);

        Assert.Equal(name, scope.Name);
        Assert.Equal(prefix, scope.NamePrefix);
        Assert.True(PurgeScope.TryParse(name, out var parsed));
        Assert.Equal(scope, parsed);
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
    public void What_is_no_scope_is_not_taken_for_a_wider_one(string name) => Assert.False(PurgeScope.TryParse(name, out _));

    [Theory]
    [InlineData("*", true, true, true, true, true)]
    [InlineData("a", true, true, true, true, false)]
    [InlineData("a/w", true, true, false, false, false)]
    [InlineData("a/w/j", true, false, false, false, false)]
    [InlineData("A/w/j", false, false, false, false, false)]
    [InlineData("a/W", false, false, false, false, false)]
    [InlineData("j", false, false, false, false, false)]
    public void It_covers_whole_names_only_and_redis_finds_the_same_by_its_prefix(string name, params bool[] covered)
    {
        Assert.True(PurgeScope.TryParse(name, out var scope));
        JobKey[] keys = [Key("a", "w", "j"), Key("a", "w", "jj"), Key("a", "ww", "j"), Key("a", "ww", "w"), Key("ab", "w", "j")];
        Assert.Equal(covered, keys.Select(scope.Covers));
        Assert.Equal(covered, keys.Select(key => key.Name.StartsWith(scope.NamePrefix, StringComparison.Ordinal)));
    }

    internal static JobKey Key(string account, string workflow, string job)
    {
        Assert.True(JobAddress.TryCreate(workflow, job, out var address));
        return new JobKey(account, address);
    }
}
