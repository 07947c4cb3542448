using CsCheck;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Pauses, the circuit, and which credentials the upstream takes.</summary>
[Trait("Kind", "Unit")]
public sealed class AccountHealthTests
{
    private const double Start = 1.8e15, Second = 1e6;

    private static readonly CallOutcome[] Answers = [.. Enum.GetValues<CallOutcome>().Except([CallOutcome.Failed])];

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
        _health.Record(new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromSeconds(5)), ["key"],
            _now - 0.2 * Second, uncertainty: 0.25 * Second);

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
                health.Record(new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromSeconds(asked)),
                    ["key"], now);
                last = Math.Max(last, now + Math.Clamp(asked, 1, 300) * Second);
            }
            Assert.Equal(last, health.PausedUntil, 1.0);
        });

    [Theory]
    [InlineData(0, 9, false)]
    [InlineData(0, 10, true)]
    [InlineData(5, 5, false)]
    [InlineData(5, 9, false)]
    [InlineData(10, 10, true)]
    [InlineData(50, 49, false)]
    [InlineData(50, 50, true)]
    public void The_circuit_opens_when_half_of_the_calls_have_failed_of_ten_jobs_in_a_row(int good, int bad, bool opens)
    {
        Note(CallOutcome.Accepted, good);
        Fail(bad);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void One_broken_job_never_opens_it_however_often_it_is_asked_for()
    {
        for (var i = 0; i < 500; i++)
        {
            Note(CallOutcome.Failed, job: 7);
            _now += 0.2 * Second;
        }
        Assert.False(_health.Circuit.IsOpen);
    }

    [Fact]
    public void While_other_jobs_are_accepted_it_does_not_open() =>
        Gen.Select(Gen.Int[0, 30], Gen.Double[0, Second]).Array[1, 300].Sample(calls =>
    {
        var (health, now) = (new AccountHealth(), Start);
        foreach (var (job, later) in calls)
        {
            now += later;
            // Every fifth call is of a job that is well.
            health.Record(new EndedCall(job % 5 == 0 ? CallOutcome.Accepted : CallOutcome.Failed, "key", job),
                ["key"], now);
            for (var one = 1; one <= 4; one++)
            {
                health.Record(new EndedCall(CallOutcome.Failed, "key", 100 + one), ["key"], now);
            }
            health.Record(new EndedCall(CallOutcome.Accepted, "key", 99), ["key"], now);
            Assert.False(health.Circuit.IsOpen);
        }
    });

    [Theory]
    [InlineData(nameof(CallOutcome.Failed), true)]
    [InlineData(nameof(CallOutcome.Accepted), false)]
    [InlineData(nameof(CallOutcome.Missing), false)]
    [InlineData(nameof(CallOutcome.Busy), false)]
    public void Where_a_job_is_known_that_worked_a_trial_with_it_decides_also_where_few_jobs_are_asked_for(string end,
        bool opens)
    {
        Accept("survey/one");
        for (var i = 0; i < 10; i++) Note(CallOutcome.Failed, job: i % 2);
        Assert.False(_health.Circuit.IsOpen);
        Assert.Equal("survey/one", TryKnown());

        NoteTrial(Enum.Parse<CallOutcome>(end), "survey/one");

        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void Jobs_that_failed_while_a_trial_was_answered_cost_no_further_trial_for_ten_seconds()
    {
        Accept("survey/one");
        for (var i = 0; i < 20; i++) Note(CallOutcome.Failed, job: i % 5);
        TryKnown();
        NoteTrial(CallOutcome.Accepted, "survey/one");
        for (var second = 1; second <= 9; second++)
        {
            _now += Second;
            for (var i = 0; i < 20; i++) Note(CallOutcome.Failed, job: i % 5);
            Assert.Null(TryKnown());
        }
        _now += 2 * Second;
        for (var i = 0; i < 20; i++) Note(CallOutcome.Failed, job: i % 5);
        Assert.Equal("survey/one", TryKnown());
    }

    [Fact]
    public void A_job_that_fails_itself_is_no_trial()
    {
        Accept("survey/one");
        var itself = CredentialState.NumberOf("survey/one");
        for (var i = 0; i < 20; i++) Note(CallOutcome.Failed, job: i % 2 == 0 ? itself : 1);
        Assert.Null(TryKnown());
        Fail(8, from: 100);
        Assert.True(_health.Circuit.IsOpen);
    }

    [Fact]
    public void An_open_circuit_is_probed_by_callers_calls_and_by_jobs_that_worked_in_turn()
    {
        Accept("survey/one");
        for (var i = 0; i < 10; i++) Note(CallOutcome.Failed, job: i);
        TryKnown();
        NoteTrial(CallOutcome.Failed, "survey/one");
        var probes = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            _now += Second;
            if (_health.TrialJob("key", isWaiting: true, _now) is { } job)
            {
                _health.StartTrial("key", _now);
                NoteTrial(CallOutcome.Failed, job);
                probes.Add("known");
            }
            else
            {
                Assert.Equal(_now, _health.NextProbe("key", hasOther: false, _now)!.Value, Second);
                _health.StartProbe("key", _now);
                Note(CallOutcome.Failed, job: 3, isProbe: true);
                probes.Add("caller");
            }
        }
        Assert.Equal(["caller", "known", "caller", "known"], probes);
    }

    [Theory]
    [InlineData(4.9, true)]
    [InlineData(10.1, false)]
    [InlineData(1e6, false)]
    public void Failures_of_long_ago_do_not_count(double later, bool opens)
    {
        Fail(9);
        _now += later * Second;
        _health.Bound(_now);
        Note(CallOutcome.Failed, job: 9);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void Refusals_and_pauses_never_open_it() =>
        Gen.Int[0, Answers.Length - 1].Select(i => Answers[i]).Array[1, 200].Sample(ends =>
        {
            var health = new AccountHealth();
            foreach (var end in ends) health.Record(new EndedCall(end, "key"), ["key"], Start);
            Assert.False(health.Circuit.IsOpen);
        });

    [Fact]
    public void An_open_circuit_lets_one_call_through_each_half_second_until_one_is_answered()
    {
        Fail(10);
        Assert.Equal(UpstreamFault.CircuitOpen, _health.ClosedFor("key", _now)?.Reason);
        foreach (var end in (CallOutcome[])[CallOutcome.Failed, CallOutcome.Unknown])
        {
            AssertNextTrial(_now + 0.5 * Second);
            _now += 0.5 * Second;
            _health.StartProbe("key", _now);
            AssertNextTrial(_now + 0.5 * Second);
            // What was sent before the circuit opened says nothing.
            Note(CallOutcome.Accepted, 20);
            Assert.True(_health.Circuit.IsOpen);
            Note(end, isProbe: true);
        }
        _now += 0.5 * Second;
        _health.StartProbe("key", _now);
        // Any answer will do.
        Note(CallOutcome.Answered, isProbe: true);

        AssertNextTrial(null);
        Assert.Null(_health.ClosedFor("key", _now));
        // It begins anew.
        Fail(9, from: 20);
        Assert.False(_health.Circuit.IsOpen);
        Fail(1, from: 29);
        Assert.True(_health.Circuit.IsOpen);
    }

    [Fact]
    public void A_trial_that_nobody_hears_of_again_is_not_waited_for_for_ever()
    {
        Fail(10);
        _now += Second;
        _health.StartProbe("key", _now);
        AssertNextTrial(_now + 0.5 * Second);

        var fresh = new AccountHealth();
        Assert.Equal(0, fresh.NextProbe("new", hasOther: true, _now));
        fresh.StartProbe("new", _now);
        Assert.Equal(_now + Second, fresh.NextProbe("new", hasOther: true, _now));
        // Then the upstream is slow, and all go.
        Assert.Null(fresh.NextProbe("new", hasOther: true, _now + Second));
    }

    [Fact]
    public void A_new_credential_is_tried_by_one_call_where_there_is_another_until_it_was_accepted()
    {
        Assert.Null(_health.NextProbe("key", hasOther: false, _now));
        Assert.NotNull(_health.NextProbe("key", hasOther: true, _now));
        Note(CallOutcome.Accepted, isProbe: true);
        Assert.Null(_health.NextProbe("key", hasOther: true, _now));
    }

    [Fact]
    public void A_refusal_stops_nobody_and_a_job_that_worked_before_is_tried_once()
    {
        Accept("survey/one");
        _now += Second;
        Note(CallOutcome.Refused, job: 7);
        Assert.Equal(RefusalCause.Pending, _health.CauseOf("key", _now));
        Assert.Null(_health.ClosedFor("key", _now));
        AssertNextTrial(null);
        Assert.Equal("survey/one", TryKnown());
        // One at a time.
        Assert.Null(TryKnown());

        NoteTrial(CallOutcome.Accepted, "survey/one");

        Assert.Equal(RefusalCause.Job, _health.CauseOf("key", _now));
        Assert.Empty(Dead(_health));
    }

    [Fact]
    public void A_call_that_was_sent_later_and_accepted_clears_the_credential_and_one_that_was_sent_before_does_not()
    {
        Accept("survey/one");
        _now += 10 * Second;
        Note(CallOutcome.Refused, job: 7);
        _now += Second;
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 2 * Second }, ["key"], _now);
        Assert.Equal(RefusalCause.Pending, _health.CauseOf("key", _now));
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 0.5 * Second }, ["key"], _now);
        Assert.Equal(RefusalCause.Job, _health.CauseOf("key", _now));
        Assert.Null(TryKnown());
    }

    [Fact]
    public void Two_jobs_that_worked_before_must_be_refused_before_a_credential_is_dead()
    {
        foreach (var job in (string[])["survey/one", "survey/two", "other/three"]) Accept(job);
        _now += Second;
        Note(CallOutcome.Refused, job: 7);
        var first = TryKnown()!;
        NoteTrial(CallOutcome.Refused, first);
        Assert.Equal(RefusalCause.Pending, _health.CauseOf("key", _now));
        // The second one goes at once.
        var second = TryKnown()!;
        Assert.NotEqual(first, second);
        NoteTrial(CallOutcome.Refused, second);

        Assert.Equal(RefusalCause.Credential, _health.CauseOf("key", _now));
        Assert.Equal(UpstreamFault.CredentialDead, _health.ClosedFor("key", _now)?.Reason);
        Assert.Equal(CredentialStanding.Refused, _health.StandingOf("key", _now));
        Assert.Null(_health.ClosedFor("other", _now));
    }

    [Fact]
    public void A_refused_trial_kills_no_credential_that_was_accepted_since()
    {
        foreach (var job in (string[])["survey/one", "other/two"]) Accept(job);
        _now += Second;
        for (var i = 0; i < 20; i++)
        {
            Note(CallOutcome.Refused, job: i);
            if (TryKnown() is { } job) NoteTrial(CallOutcome.Refused, job);
            _now += 0.1 * Second;
            Accept($"third/{i}");
            _now += Second;
            Assert.Empty(Dead(_health));
        }
    }

    [Fact]
    public void However_many_jobs_are_refused_there_is_one_trial_a_second_and_for_the_same_jobs_one_in_ten()
    {
        var trials = 0;
        Accept("survey/one");
        void AskFor(double seconds, Func<int, int> job)
        {
            trials = 0;
            for (var i = 0; i < seconds * 10; i++)
            {
                _now += 0.1 * Second;
                Note(CallOutcome.Refused, job: job(i));
                Assert.NotEqual(RefusalCause.Unknown, _health.CauseOf("key", _now));
                if (TryKnown() is not { } known) continue;
                trials++;
                NoteTrial(CallOutcome.Accepted, known);
            }
        }

        AskFor(30, i => i);
        Assert.InRange(trials, 20, 30);
        AskFor(30, i => 290 + i % 10);
        Assert.InRange(trials, 2, 4);
    }

    [Fact]
    public void A_dead_credential_is_tried_each_ten_seconds_by_callers_calls_and_by_jobs_that_worked_in_turn()
    {
        Kill("key");
        var probes = "";
        for (var i = 0; i < 4; i++)
        {
            Assert.Null(TryKnown());
            AssertNextTrial(_now + 10 * Second);
            _now += 10 * Second;
            if (_health.TrialJob("key", isWaiting: true, _now) is { } job)
            {
                _health.StartTrial("key", _now);
                NoteTrial(CallOutcome.Refused, job);
                probes += 'k';
            }
            else
            {
                _health.StartProbe("key", _now);
                Note(((CallOutcome[])[CallOutcome.Refused, CallOutcome.Failed, CallOutcome.Unknown])[i % 3],
                    isProbe: true);
                probes += 'c';
            }
        }
        Assert.Equal("ckck", probes);
        // Where nobody waits, a job that worked is tried.
        _now += 10 * Second;
        var known = TryKnown();
        Assert.NotNull(known);
        // Word of calls that were made before comes late.
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 60 * Second }, ["key"], _now);
        Assert.Equal(["key"], Dead(_health));
        NoteTrial(CallOutcome.Accepted, known);
        Assert.Null(_health.ClosedFor("key", _now));
        Assert.Empty(Dead(_health));
        Assert.Equal(["key"], Accepted(_health));
    }

    [Fact]
    public void A_call_that_was_sent_after_the_trial_and_accepted_revives_a_credential()
    {
        Kill("key");
        _now += Second;
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 0.5 * Second }, ["key"], _now);
        Assert.Empty(Dead(_health));
    }

    [Fact]
    public void Where_no_job_is_known_to_work_five_refused_in_a_row_make_a_credential_half_open_until_one_is_accepted()
    {
        for (var i = 0; i < 20; i++) Note(CallOutcome.Refused, job: i % 4);
        Assert.False(_health.IsHalfOpen("key"));
        Assert.Equal(RefusalCause.Unknown, _health.CauseOf("key", _now));
        Note(CallOutcome.Missing);
        for (var job = 10; job < 14; job++) Note(CallOutcome.Refused, job: job);
        Assert.False(_health.IsHalfOpen("key"));
        _now += Second;
        for (var job = 10; job < 15; job++) Note(CallOutcome.Refused, job: job, isUnauthorized: job == 12);
        for (var job = 20; job < 25; job++) Note(CallOutcome.Refused, job: job);
        Assert.Equal((true, false), (_health.IsHalfOpen("key"), _health.IsHalfOpen("other")));
        Assert.Equal(CredentialStanding.Suspect, _health.StandingOf("key", _now));
        Assert.Equal(CredentialStanding.Refused, _health.StandingOf("key", _now + 10 * Second));
        AssertNextTrial(_now + Second);
        _now += Second;
        _health.StartProbe("key", _now);
        Note(CallOutcome.Unknown, isProbe: true);
        AssertNextTrial(_now + Second);
        Note(CallOutcome.Accepted, isProbe: true);
        AssertNextTrial(null);
    }

    [Theory]
    [InlineData(true, 9.9, false)]
    [InlineData(true, 10, true)]
    [InlineData(false, 100, false)]
    public void One_job_that_is_401_for_ten_seconds_is_reported_where_no_other_is_accepted(bool isUnauthorized,
        double later, bool isReported)
    {
        Note(CallOutcome.Refused, job: 1, isUnauthorized: isUnauthorized);
        _now += later * Second;
        Note(CallOutcome.Refused, job: 1, isUnauthorized: isUnauthorized);
        Assert.Equal(isReported, _health.StandingOf("key", _now) == CredentialStanding.Refused);
        Assert.Null(_health.ClosedFor("key", _now));
        AssertNextTrial(null);
        Accept("survey/one");
        Assert.Equal(CredentialStanding.Fine, _health.StandingOf("key", _now));
    }

    [Fact]
    public void Suspicion_is_of_one_credential_and_passes_where_nobody_asks()
    {
        for (var job = 0; job < 5; job++) Note(CallOutcome.Refused, job: job);
        Assert.False(_health.IsHalfOpen("other"));
        for (var job = 0; job < 5; job++) Note(CallOutcome.Refused, job: job, credential: "other");
        Assert.True(_health.IsHalfOpen("other"));
        _health.Bound(_now + 599 * Second);
        Assert.True(_health.IsHalfOpen("other"));
        _health.Bound(_now + 601 * Second);
        Assert.False(_health.IsHalfOpen("other"));
    }

    [Fact]
    public void Of_known_jobs_the_last_ones_of_several_workflows_are_remembered()
    {
        Accept("rare/one");
        for (var i = 0; i < 50; i++) Accept($"busy/{i}");
        Assert.Equal(["busy/49", "busy/48", "busy/47", "rare/one"], Jobs("key"));
        for (var i = 0; i < 9; i++) Accept($"w{i}/x");
        Assert.Equal(["w8/x", "w7/x", "w6/x", "w5/x"], Jobs("key"));
    }

    [Fact]
    public void A_job_that_worked_before_and_is_refused_now_is_no_trial_of_itself_and_counts_as_one_of_two()
    {
        Accept("survey/one");
        _now += Second;
        Note(CallOutcome.Refused, job: CredentialState.NumberOf("survey/one"));
        Assert.Equal(RefusalCause.Unknown, _health.CauseOf("key", _now));
        Assert.Null(TryKnown());

        Accept("other/two");
        Assert.Equal(["other/two"], Jobs("key"));
        Accept("survey/one");
        _now += Second;
        Note(CallOutcome.Refused, job: CredentialState.NumberOf("survey/one"));
        Assert.Equal("other/two", TryKnown());
        NoteTrial(CallOutcome.Refused, "other/two");
        Assert.Equal(["key"], Dead(_health));
    }

    [Fact]
    public void A_known_job_that_is_gone_shows_that_the_credential_is_accepted_and_is_forgotten()
    {
        Accept("survey/one");
        Accept("survey/two");
        _now += Second;
        Note(CallOutcome.Refused, job: 7);
        var gone = TryKnown()!;
        NoteTrial(CallOutcome.Missing, gone);
        Assert.Equal(RefusalCause.Job, _health.CauseOf("key", _now));
        Assert.DoesNotContain(gone, Jobs("key"));
    }

    [Fact]
    public void While_its_successor_is_tried_calls_wait_for_two_seconds_at_most()
    {
        Note(CallOutcome.Refused);
        Assert.False(_health.IsInDoubt("key", _now));
        _health.Record(new EndedCall(CallOutcome.Refused, "key"), ["key", "next"], _now);
        Assert.True(_health.IsInDoubt("key", _now + 2 * Second - 1));
        Assert.False(_health.IsInDoubt("next", _now));
        Assert.False(_health.IsInDoubt("key", _now + 2 * Second));
    }

    [Fact]
    public void Once_both_were_refused_it_is_the_job_and_for_ten_seconds_nobody_doubts()
    {
        string[] both = ["key", "next"];
        _health.Record(new EndedCall(CallOutcome.Refused, "key", 1), both, _now);
        _health.Record(new EndedCall(CallOutcome.RefusedTwice, "next", 1), both, _now);
        Assert.Single(_health.Credentials["key"].Refused);
        foreach (var (later, doubted) in ((double, bool)[])[(0, false), (9.9, false), (10, true)])
        {
            var now = _now + later * Second;
            _health.Record(new EndedCall(CallOutcome.Refused, "key", 1), both, now);
            Assert.Equal(doubted, _health.IsInDoubt("key", now));
        }
    }

    [Fact]
    public void A_credential_whose_successor_was_accepted_is_dead_and_no_late_word_revives_it()
    {
        Note(CallOutcome.Accepted);
        _now += Second;
        _health.Record(new EndedCall(CallOutcome.Refused, "key"), ["key", "next"], _now);
        _health.Record(new EndedCall(CallOutcome.Accepted, "next", Supersedes: "key"), ["key", "next"], _now);
        Note(CallOutcome.Accepted, 5);
        Assert.Equal(["key"], Dead(_health));
        Assert.Equal(["next"], Accepted(_health));
        Assert.False(_health.IsInDoubt("key", _now));
        // Nor is it doubted for the sake of a dead one.
        _health.Record(new EndedCall(CallOutcome.Refused, "next"), ["key", "next"], _now);
        Assert.False(_health.IsInDoubt("next", _now));
    }

    [Fact]
    public void What_another_knew_is_added_and_nothing_is_forgotten()
    {
        var other = new AccountHealth
        {
            PausedUntil = 7,
            Credentials = { ["a"] = Good(), ["b"] = Good(), ["c"] = Bad(from: 3), ["d"] = Bad(from: 3) },
        };
        var health = new AccountHealth
        {
            PausedUntil = 5,
            Credentials = { ["c"] = Good(from: 4), ["e"] = Good(), ["f"] = Bad() },
        };
        for (var i = 0; i < 2; i++) health.Merge(other);
        Assert.Equal((7, 4), (health.PausedUntil, health.Credentials["c"].ProbeFrom));
        Assert.Equal(["a", "b", "e"], Accepted(health).Order());
        Assert.Equal(["c", "d", "f"], Dead(health).Order());

        static CredentialState Good(double from = 0) => new() { IsAccepted = true, ProbeFrom = from };
        static CredentialState Bad(double from = 0) => new() { DeadSince = 1, ProbeFrom = from };
    }

    [Fact]
    public void However_many_credentials_come_and_go_only_the_last_are_remembered()
    {
        for (var i = 0; i < 100; i++)
        {
            Note(CallOutcome.Accepted, credential: $"key-{i}");
            Note(CallOutcome.Accepted, credential: $"next-{i}", supersedes: $"dead-{i}");
            _now += Second;
        }
        Assert.Equal(8, _health.Credentials.Count);
        Assert.Contains("dead-99", Dead(_health));
        Assert.Contains("next-99", Accepted(_health));
    }

    private static string[] Dead(AccountHealth health) =>
        [.. health.Credentials.Where(one => one.Value.IsDead).Select(one => one.Key)];

    private static string[] Accepted(AccountHealth health) =>
        [.. health.Credentials.Where(one => one.Value.IsAccepted).Select(one => one.Key)];

    private IEnumerable<string> Jobs(string credential) =>
        _health.Credentials[credential].Jobs.Select(job => job.Address);

    private void Busy(double? seconds) => _health.Record(
        new EndedCall(CallOutcome.Busy, "key", RetryAfter: seconds is { } asked ? TimeSpan.FromSeconds(asked) : null),
        ["key"], _now);

    private void Note(
        CallOutcome end, int times = 1, bool isProbe = false, int job = 0, string credential = "key",
        bool isUnauthorized = false, string? supersedes = null)
    {
        for (var i = 0; i < times; i++)
        {
            var call = new EndedCall(end, credential, job, isProbe, Supersedes: supersedes);
            _health.Record(call with { IsUnauthorized = isUnauthorized }, [credential], _now);
        }
    }

    private void Fail(int jobs, int from = 0)
    {
        for (var i = 0; i < jobs; i++) Note(CallOutcome.Failed, job: from + i);
    }

    private void Accept(string job) =>
        _health.Record(new EndedCall(CallOutcome.Accepted, "key", CredentialState.NumberOf(job)) { Address = job },
            ["key"], _now);

    private void Kill(string credential)
    {
        foreach (var job in (string[])["survey/one", "other/two"])
        {
            _health.Record(new EndedCall(CallOutcome.Accepted, credential) { Address = job }, [credential], _now);
        }
        _now += Second;
        Note(CallOutcome.Refused, job: 7, credential: credential);
        for (var i = 0; i < 2; i++) NoteTrial(CallOutcome.Refused, TryKnown(credential)!);
        Assert.Equal([credential], Dead(_health));
    }

    private string? TryKnown(string credential = "key")
    {
        var job = _health.TrialJob(credential, isWaiting: false, _now);
        if (job is not null) _health.StartTrial(credential, _now);
        return job;
    }

    private void NoteTrial(CallOutcome end, string job) =>
        _health.Record(new EndedCall(end, "key", CredentialState.NumberOf(job), IsProbe: true)
        {
            Address = job,
            IsTrial = true,
        }, ["key"], _now);

    private void AssertNextTrial(double? expected) =>
        Assert.Equal(expected, _health.NextProbe("key", hasOther: false, _now));
}
