using CsCheck;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Pauses, the circuit, and which credentials the upstream takes.</summary>
public sealed class AccountHealthTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private static readonly CallEnd[] Answers = [.. Enum.GetValues<CallEnd>().Except([CallEnd.Failed])];

    private readonly AccountHealth _health = new();
    private double _now = Start;

    [Theory]
    [InlineData(null, 1)]
    [InlineData(-7.0, 1)]
    [InlineData(0.3, 1)]
    [InlineData(1.0, 1)]
    [InlineData(42.5, 42.5)]
    [InlineData(300.0, 300)]
    [InlineData(1e9, 300)]
    public void A_pause_is_as_long_as_was_asked_for_within_reason(double? asked, double seconds)
    {
        Busy(asked);
        Assert.Equal(new Closed(UpstreamFault.Paused, _now + seconds * Second), _health.ClosedFor("key", _now));
        Assert.NotNull(_health.ClosedFor("key", _now + seconds * Second - 1));
        Assert.Null(_health.ClosedFor("key", _now + seconds * Second));
    }

    [Fact]
    public void Whose_clock_may_be_behind_ends_no_pause_for_the_others_before_its_time()
    {
        _health.Note(new EndedCall(CallEnd.Busy, "key", RetryAfter: TimeSpan.FromSeconds(5)), ["key"], _now - 0.2 * Second, uncertainty: 0.25 * Second);

        Assert.Equal(UpstreamFault.Paused, _health.ClosedFor("key", _now + 4.99 * Second)?.Reason);
        Assert.Null(_health.ClosedFor("key", _now + 5.06 * Second));
    }

    [Fact]
    public void Of_several_pauses_the_one_that_ends_last_counts() =>
        Gen.Select(Gen.Double[-10, 400], Gen.Double[0, 60]).Array[1, 20].Sample(pauses =>
        {
            var (health, now, last) = (new AccountHealth(), Start, 0.0);
            foreach (var (asked, later) in pauses)
            {
                now += later * Second;
                health.Note(new EndedCall(CallEnd.Busy, "key", RetryAfter: TimeSpan.FromSeconds(asked)), ["key"], now);
                last = Math.Max(last, now + Math.Clamp(asked, 1, 300) * Second);
            }
            Assert.Equal(last, health.PausedUntil, 1.0);
        });

    [Theory]
    [InlineData(0, 9, false)]
    [InlineData(0, 10, true)]
    [InlineData(5, 5, true)]
    [InlineData(6, 5, false)]
    [InlineData(50, 49, false)]
    [InlineData(50, 50, true)]
    public void The_circuit_opens_when_half_of_ten_calls_or_more_have_failed(int good, int bad, bool opens)
    {
        Note(CallEnd.Accepted, good);
        Note(CallEnd.Failed, bad);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Theory]
    [InlineData(4.9, true)]
    [InlineData(10.1, false)]
    [InlineData(1e6, false)]
    public void Failures_of_long_ago_do_not_count(double later, bool opens)
    {
        Note(CallEnd.Failed, 9);
        _now += later * Second;
        Note(CallEnd.Failed);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void Refusals_and_pauses_never_open_it() =>
        Gen.Int[0, Answers.Length - 1].Select(i => Answers[i]).Array[1, 200].Sample(ends =>
        {
            var health = new AccountHealth();
            foreach (var end in ends) health.Note(new EndedCall(end, "key"), ["key"], Start);
            Assert.False(health.Circuit.IsOpen);
        });

    [Fact]
    public void An_open_circuit_lets_one_call_through_each_half_second_until_one_is_answered()
    {
        Note(CallEnd.Failed, 10);
        Assert.Equal(UpstreamFault.CircuitOpen, _health.ClosedFor("key", _now)?.Reason);
        foreach (var end in (CallEnd[])[CallEnd.Failed, CallEnd.Unknown])
        {
            AssertNextTrial(_now + 0.5 * Second);
            _now += 0.5 * Second;
            _health.Try("key", _now);
            AssertNextTrial(_now + 0.5 * Second);
            // What was sent before the circuit opened says nothing.
            Note(CallEnd.Accepted, 20);
            Assert.True(_health.Circuit.IsOpen);
            Note(end, isTrial: true);
        }
        _now += 0.5 * Second;
        _health.Try("key", _now);
        // Any answer will do.
        Note(CallEnd.Answered, isTrial: true);

        AssertNextTrial(null);
        Assert.Null(_health.ClosedFor("key", _now));
        // It begins anew.
        Note(CallEnd.Failed, 8);
        Assert.False(_health.Circuit.IsOpen);
        Note(CallEnd.Failed, 2);
        Assert.True(_health.Circuit.IsOpen);
    }

    [Fact]
    public void A_trial_that_nobody_hears_of_again_is_not_waited_for_for_ever()
    {
        Note(CallEnd.Failed, 10);
        _now += Second;
        _health.Try("key", _now);
        AssertNextTrial(_now + 0.5 * Second);

        var fresh = new AccountHealth();
        Assert.Equal(0, fresh.NextTrial("new", hasOther: true, _now));
        fresh.Try("new", _now);
        Assert.Equal(_now + Second, fresh.NextTrial("new", hasOther: true, _now));
        // Then the upstream is slow, and all go.
        Assert.Null(fresh.NextTrial("new", hasOther: true, _now + Second));
    }

    [Fact]
    public void A_new_credential_is_tried_by_one_call_where_there_is_another_until_it_was_accepted()
    {
        Assert.Null(_health.NextTrial("key", hasOther: false, _now));
        Assert.NotNull(_health.NextTrial("key", hasOther: true, _now));
        Note(CallEnd.Accepted, isTrial: true);
        Assert.Null(_health.NextTrial("key", hasOther: true, _now));
    }

    [Fact]
    public void A_401_kills_a_credential_which_is_tried_again_each_ten_seconds()
    {
        Note(CallEnd.Unauthorized);
        Assert.Equal(UpstreamFault.CredentialDead, _health.ClosedFor("key", _now)?.Reason);
        Assert.Null(_health.ClosedFor("other", _now));
        foreach (var end in (CallEnd[])[CallEnd.Unauthorized, CallEnd.Refused, CallEnd.Failed, CallEnd.Unknown])
        {
            AssertNextTrial(_now + 10 * Second);
            _now += 10 * Second;
            _health.Try("key", _now);
            Note(end, isTrial: true);
        }
        // Word of calls that were made before comes late.
        Note(CallEnd.Accepted, 20);
        Assert.Equal(["key"], _health.Dead);
        Assert.Empty(_health.Accepted);
        Note(CallEnd.Accepted, isTrial: true);
        Assert.Null(_health.ClosedFor("key", _now));
        Assert.Empty(_health.Dead);
        Assert.Equal(["key"], _health.Accepted);
    }

    [Fact]
    public void Five_jobs_refused_in_a_row_make_a_credential_suspect_and_one_accepted_clears_it()
    {
        for (var i = 0; i < 20; i++) Note(CallEnd.Refused, job: i % 4);
        Assert.False(_health.IsSuspect("key"));
        Note(CallEnd.Accepted);
        for (var job = 0; job < 4; job++) Note(CallEnd.Refused, job: job);
        Assert.False(_health.IsSuspect("key"));
        Note(CallEnd.Refused, job: 4);
        Assert.Equal((true, false), (_health.IsSuspect("key"), _health.IsSuspect("other")));
        Assert.Equal(CredentialStanding.Suspect, _health.StandingOf("key", _now));
        Assert.Equal(CredentialStanding.Refused, _health.StandingOf("key", _now + 10 * Second));
        AssertNextTrial(_now + Second);
        _now += Second;
        _health.Try("key", _now);
        Note(CallEnd.Unknown, isTrial: true);
        AssertNextTrial(_now + Second);
        Note(CallEnd.Accepted, isTrial: true);
        AssertNextTrial(null);
    }

    [Fact]
    public void Suspicion_is_of_one_credential_and_passes_where_nobody_asks()
    {
        for (var job = 0; job < 5; job++) Note(CallEnd.Refused, job: job);
        Note(CallEnd.Refused, job: 9, credential: "other");
        Assert.False(_health.IsSuspect("key"));
        for (var job = 0; job < 4; job++) Note(CallEnd.Refused, job: job, credential: "other");
        Assert.True(_health.IsSuspect("other"));
        _health.Bound(_now + 599 * Second);
        Assert.True(_health.IsSuspect("other"));
        _health.Bound(_now + 601 * Second);
        Assert.False(_health.IsSuspect("other"));
    }

    [Fact]
    public void While_its_successor_is_tried_calls_wait_for_two_seconds_at_most()
    {
        Note(CallEnd.Refused);
        Assert.False(_health.IsInDoubt("key", _now));
        _health.Note(new EndedCall(CallEnd.Refused, "key"), ["key", "next"], _now);
        Assert.True(_health.IsInDoubt("key", _now + 2 * Second - 1));
        Assert.False(_health.IsInDoubt("next", _now));
        Assert.False(_health.IsInDoubt("key", _now + 2 * Second));
    }

    [Fact]
    public void Once_both_were_refused_it_is_the_job_and_for_ten_seconds_nobody_doubts()
    {
        string[] both = ["key", "next"];
        _health.Note(new EndedCall(CallEnd.Refused, "key", 1), both, _now);
        _health.Note(new EndedCall(CallEnd.RefusedTwice, "next", 1), both, _now);
        Assert.Single(_health.RefusedJobs);
        foreach (var (later, doubted) in ((double, bool)[])[(0, false), (9.9, false), (10, true)])
        {
            var now = _now + later * Second;
            _health.Note(new EndedCall(CallEnd.Refused, "key", 1), both, now);
            Assert.Equal(doubted, _health.IsInDoubt("key", now));
        }
    }

    [Fact]
    public void A_credential_whose_successor_was_accepted_is_dead_and_no_late_word_revives_it()
    {
        Note(CallEnd.Accepted);
        _health.Note(new EndedCall(CallEnd.Refused, "key"), ["key", "next"], _now);
        _health.Note(new EndedCall(CallEnd.Accepted, "next", Supersedes: "key"), ["key", "next"], _now);
        Note(CallEnd.Accepted, 5);
        Assert.Equal(["key"], _health.Dead);
        Assert.Equal(["next"], _health.Accepted);
        Assert.False(_health.IsInDoubt("key", _now));
        // Nor is it doubted for the sake of a dead one.
        _health.Note(new EndedCall(CallEnd.Refused, "next"), ["key", "next"], _now);
        Assert.False(_health.IsInDoubt("next", _now));
    }

    [Fact]
    public void What_another_knew_is_added_and_nothing_is_forgotten()
    {
        var other = new AccountHealth { PausedUntil = 7, DeadTrialFrom = 3, Accepted = ["a", "b"], Dead = ["c", "d"] };
        var health = new AccountHealth { PausedUntil = 5, DeadTrialFrom = 4, Accepted = ["c", "e"], Dead = ["f"] };
        for (var i = 0; i < 2; i++) health.Merge(other);
        Assert.Equal((7, 4), (health.PausedUntil, health.DeadTrialFrom));
        Assert.Equal(["a", "b", "e"], health.Accepted.Order());
        Assert.Equal(["c", "d", "f"], health.Dead.Order());
    }

    [Fact]
    public void However_many_credentials_come_and_go_only_the_last_are_remembered()
    {
        for (var i = 0; i < 100; i++)
        {
            Note(CallEnd.Accepted, credential: $"key-{i}");
            Note(CallEnd.Unauthorized, credential: $"dead-{i}");
        }
        Assert.Equal((8, 8), (_health.Accepted.Count, _health.Dead.Count));
        Assert.Contains("dead-99", _health.Dead);
    }

    private void Busy(double? seconds) => _health.Note(
        new EndedCall(CallEnd.Busy, "key", RetryAfter: seconds is { } asked ? TimeSpan.FromSeconds(asked) : null), ["key"], _now);

    private void Note(CallEnd end, int times = 1, bool isTrial = false, int job = 0, string credential = "key")
    {
        for (var i = 0; i < times; i++) _health.Note(new EndedCall(end, credential, job, isTrial), [credential], _now);
    }

    private void AssertNextTrial(double? expected) => Assert.Equal(expected, _health.NextTrial("key", hasOther: false, _now));
}
