using CsCheck;
using Gateway.Caching;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Caching;

public sealed class PurgeMarksTests
{
    private static readonly string[] Few = ["a", "ab"];

    private readonly PurgeMarks _marks = new();

    [Fact]
    public void A_job_that_was_never_purged_has_no_mark()
    {
        Assert.Equal(0, _marks.LatestOf(PurgeScopeTests.Key("a", "w", "j")));
        _marks.Add(new PurgeScope("a", "w", "other"), 5);
        Assert.Equal(0, _marks.LatestOf(PurgeScopeTests.Key("a", "w", "j")));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("a")]
    [InlineData("a/w")]
    [InlineData("a/w/j")]
    public void The_latest_purge_of_all_covering_scopes_counts(string name)
    {
        foreach (var scope in (string[])["*", "a", "a/w", "a/w/j"]) _marks.Add(Scope(scope), scope == name ? 9 : 5);
        Assert.Equal(9, _marks.LatestOf(PurgeScopeTests.Key("a", "w", "j")));
    }

    [Fact]
    public void A_mark_never_decreases_and_adding_one_reports_whether_it_is_new()
    {
        Assert.True(_marks.Add(Scope("a"), 5));
        Assert.False(_marks.Add(Scope("a"), 5));
        Assert.False(_marks.Add(Scope("a"), 4));
        Assert.True(_marks.Add(Scope("a"), 6));
        Assert.Equal([KeyValuePair.Create("a", 6L)], _marks.All);
    }

    [Fact]
    public void Marks_older_than_a_given_order_are_removed()
    {
        foreach (var (name, order) in (ReadOnlySpan<(string, long)>)[("*", 4), ("a", 5), ("a/w", 6)])
            _marks.Add(Scope(name), order);
        _marks.Forget(before: 5);
        Assert.Equal([("a", 5), ("a/w", 6)], _marks.All.Select(mark => (mark.Key, mark.Value)).Order());
    }

    [Fact]
    public void A_job_has_the_latest_mark_of_the_purges_that_cover_it()
    {
        var name = Gen.Int[0, 1].Select(i => Few[i]);
        var scope = Gen.Select(Gen.Int[0, 3], name, name, name).Select(one => one.Item1 switch
        {
            0 => new PurgeScope(),
            1 => new PurgeScope(one.Item2),
            2 => new PurgeScope(one.Item2, one.Item3),
            _ => new PurgeScope(one.Item2, one.Item3, one.Item4),
        });
        Gen.Select(scope, Gen.Long[1, 1000]).Array[0, 8].Sample(purges =>
        {
            var marks = new PurgeMarks();
            foreach (var (purged, order) in purges) marks.Add(purged, order);
            foreach (var key in from account in Few
                                from workflow in Few
                                from job in Few
                                select PurgeScopeTests.Key(
                account, workflow, job))
            {
                var latest = purges.Where(purge => purge.Item1.Covers(key)).Select(purge => purge.Item2)
                    .DefaultIfEmpty().Max();
                Assert.Equal(latest, marks.LatestOf(key));
            }
        }, iter: 2000);
    }

    [Fact]
    public async Task The_latest_mark_wins_when_many_are_added_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            for (var order = 1L + i; order <= 80_000; order += 8) _marks.Add(Scope("a"), order);
        }, World.Cancellation)));
        Assert.Equal(80_000, _marks.LatestOf(PurgeScopeTests.Key("a", "w", "j")));
    }

    private static PurgeScope Scope(string name)
    {
        Assert.True(PurgeScope.TryParse(name, out var scope));
        return scope;
    }
}
