using CsCheck;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

/// <summary>Tests pauses, the circuit breaker, and the standing of credentials.</summary>
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
    public void A_pause_lasts_as_long_as_Retry_After_says_between_1_and_300_seconds(double? asked, double seconds)
    {
        Busy(asked);
        Assert.Equal(new Closed(UpstreamFault.Paused, _now + seconds * Second), _health.ClosedFor("key", _now));
        Assert.NotNull(_health.ClosedFor("key", _now + seconds * Second - 1));
        Assert.Null(_health.ClosedFor("key", _now + seconds * Second));
    }

    [Fact]
    public void A_pause_is_extended_by_the_uncertainty_of_the_reporting_nodes_clock()
    {
        _health.Record(new EndedCall(CallOutcome.Busy, "key", RetryAfter: TimeSpan.FromSeconds(5)), ["key"],
            _now - 0.2 * Second, uncertainty: 0.25 * Second);

        Assert.Equal(UpstreamFault.Paused, _health.ClosedFor("key", _now + 4.99 * Second)?.Reason);
        Assert.Null(_health.ClosedFor("key", _now + 5.06 * Second));
    }

    [Fact]
    public void The_latest_end_of_several_pauses_counts() =>
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
    public void The_circuit_opens_if_ten_jobs_in_a_row_and_half_of_all_calls_failed(int good, int bad, bool opens)
    {
        Note(CallOutcome.Accepted, good);
        Fail(bad);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void One_failing_job_never_opens_the_circuit()
    {
        for (var i = 0; i < 500; i++)
        {
            Note(CallOutcome.Failed, job: 7);
            _now += 0.2 * Second;
        }
        Assert.False(_health.Circuit.IsOpen);
    }

    [Fact]
    public void The_circuit_stays_closed_while_other_jobs_are_accepted() =>
        Gen.Select(Gen.Int[0, 30], Gen.Double[0, Second]).Array[1, 300].Sample(calls =>
    {
        var (health, now) = (new AccountHealth(), Start);
        foreach (var (job, later) in calls)
        {
            now += later;
            // Jobs whose number is a multiple of five succeed.
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
    public void A_trial_with_a_known_job_decides_about_the_circuit_when_few_jobs_are_requested(string end,
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
    public void Failing_jobs_cause_no_further_trial_for_ten_seconds_after_an_accepted_trial()
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
    public void A_failing_known_job_is_not_used_as_a_trial()
    {
        Accept("survey/one");
        var itself = CredentialState.NumberOf("survey/one");
        for (var i = 0; i < 20; i++) Note(CallOutcome.Failed, job: i % 2 == 0 ? itself : 1);
        Assert.Null(TryKnown());
        Fail(8, from: 100);
        Assert.True(_health.Circuit.IsOpen);
    }

    [Fact]
    public void An_open_circuit_is_probed_alternately_by_a_caller_and_a_known_job()
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
    public void Failures_older_than_ten_seconds_do_not_count(double later, bool opens)
    {
        Fail(9);
        _now += later * Second;
        _health.Bound(_now);
        Note(CallOutcome.Failed, job: 9);
        Assert.Equal(opens, _health.Circuit.IsOpen);
    }

    [Fact]
    public void Outcomes_other_than_failures_never_open_the_circuit() =>
        Gen.Int[0, Answers.Length - 1].Select(i => Answers[i]).Array[1, 200].Sample(ends =>
        {
            var health = new AccountHealth();
            foreach (var end in ends) health.Record(new EndedCall(end, "key"), ["key"], Start);
            Assert.False(health.Circuit.IsOpen);
        });

    [Fact]
    public void An_open_circuit_permits_one_probe_every_half_second_until_one_is_answered()
    {
        Fail(10);
        Assert.Equal(UpstreamFault.CircuitOpen, _health.ClosedFor("key", _now)?.Reason);
        foreach (var end in (CallOutcome[])[CallOutcome.Failed, CallOutcome.Unknown])
        {
            AssertNextTrial(_now + 0.5 * Second);
            _now += 0.5 * Second;
            _health.StartProbe("key", _now);
            AssertNextTrial(_now + 0.5 * Second);
            // A call that was sent before the circuit opened does not close it.
            Note(CallOutcome.Accepted, 20);
            Assert.True(_health.Circuit.IsOpen);
            Note(end, isProbe: true);
        }
        _now += 0.5 * Second;
        _health.StartProbe("key", _now);
        // Any answer to the probe closes the circuit.
        Note(CallOutcome.Answered, isProbe: true);

        AssertNextTrial(null);
        Assert.Null(_health.ClosedFor("key", _now));
        // The failure count starts again at zero.
        Fail(9, from: 20);
        Assert.False(_health.Circuit.IsOpen);
        Fail(1, from: 29);
        Assert.True(_health.Circuit.IsOpen);
    }

    [Fact]
    public void A_probe_without_an_outcome_delays_the_next_probe_for_a_bounded_time()
    {
        Fail(10);
        _now += Second;
        _health.StartProbe("key", _now);
        AssertNextTrial(_now + 0.5 * Second);

        var fresh = new AccountHealth();
        Assert.Equal(0, fresh.NextProbe("new", hasOther: true, _now));
        fresh.StartProbe("new", _now);
        Assert.Equal(_now + Second, fresh.NextProbe("new", hasOther: true, _now));
        // After a second the upstream is merely slow, so that all calls may go out.
        Assert.Null(fresh.NextProbe("new", hasOther: true, _now + Second));
    }

    [Fact]
    public void A_new_credential_is_probed_until_it_is_accepted_if_there_is_another_one()
    {
        Assert.Null(_health.NextProbe("key", hasOther: false, _now));
        Assert.NotNull(_health.NextProbe("key", hasOther: true, _now));
        Note(CallOutcome.Accepted, isProbe: true);
        Assert.Null(_health.NextProbe("key", hasOther: true, _now));
    }

    [Fact]
    public void A_refusal_blocks_no_calls_and_starts_one_trial_with_a_known_job()
    {
        Accept("survey/one");
        _now += Second;
        Note(CallOutcome.Refused, job: 7);
        Assert.Equal(RefusalCause.Pending, _health.CauseOf("key", _now));
        Assert.Null(_health.ClosedFor("key", _now));
        AssertNextTrial(null);
        Assert.Equal("survey/one", TryKnown());
        // Only one trial is under way at a time.
        Assert.Null(TryKnown());

        NoteTrial(CallOutcome.Accepted, "survey/one");

        Assert.Equal(RefusalCause.Job, _health.CauseOf("key", _now));
        Assert.Empty(Dead(_health));
    }

    [Fact]
    public void Only_an_accepted_call_sent_after_the_refusal_clears_the_credential()
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
    public void A_credential_is_dead_after_two_known_jobs_were_refused()
    {
        foreach (var job in (string[])["survey/one", "survey/two", "other/three"]) Accept(job);
        _now += Second;
        Note(CallOutcome.Refused, job: 7);
        var first = TryKnown()!;
        NoteTrial(CallOutcome.Refused, first);
        Assert.Equal(RefusalCause.Pending, _health.CauseOf("key", _now));
        // The second trial starts at once.
        var second = TryKnown()!;
        Assert.NotEqual(first, second);
        NoteTrial(CallOutcome.Refused, second);

        Assert.Equal(RefusalCause.Credential, _health.CauseOf("key", _now));
        Assert.Equal(UpstreamFault.CredentialDead, _health.ClosedFor("key", _now)?.Reason);
        Assert.Equal(CredentialStanding.Refused, _health.StandingOf("key", _now));
        Assert.Null(_health.ClosedFor("other", _now));
    }

    [Fact]
    public void A_refused_trial_does_not_mark_a_credential_dead_that_was_accepted_since()
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
    public void Refused_jobs_cause_at_most_one_trial_a_second_and_the_same_jobs_one_in_ten_seconds()
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
    public void A_dead_credential_is_probed_every_ten_seconds_alternately_by_a_caller_and_a_known_job()
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
        // If no caller waits, a known job is tried.
        _now += 10 * Second;
        var known = TryKnown();
        Assert.NotNull(known);
        // An outcome of a call that was sent before the credential died arrives late.
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 60 * Second }, ["key"], _now);
        Assert.Equal(["key"], Dead(_health));
        NoteTrial(CallOutcome.Accepted, known);
        Assert.Null(_health.ClosedFor("key", _now));
        Assert.Empty(Dead(_health));
        Assert.Equal(["key"], Accepted(_health));
    }

    [Fact]
    public void An_accepted_call_sent_after_the_trial_revives_a_credential()
    {
        Kill("key");
        _now += Second;
        _health.Record(new EndedCall(CallOutcome.Accepted, "key") { Age = 0.5 * Second }, ["key"], _now);
        Assert.Empty(Dead(_health));
    }

    [Fact]
    public void Without_a_known_job_a_credential_is_half_open_from_five_refused_jobs_to_the_next_acceptance()
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
    public void A_credential_is_reported_as_refused_after_ten_seconds_of_401_for_one_job(bool isUnauthorized,
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
    public void A_half_open_credential_affects_no_other_and_recovers_after_ten_minutes_without_calls()
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
    public void The_four_latest_known_jobs_are_remembered_from_several_workflows()
    {
        Accept("rare/one");
        for (var i = 0; i < 50; i++) Accept($"busy/{i}");
        Assert.Equal(["busy/49", "busy/48", "busy/47", "rare/one"], Jobs("key"));
        for (var i = 0; i < 9; i++) Accept($"w{i}/x");
        Assert.Equal(["w8/x", "w7/x", "w6/x", "w5/x"], Jobs("key"));
    }

    [Fact]
    public void A_refused_known_job_is_not_its_own_trial_and_counts_as_one_of_the_two_refusals()
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
    public void A_missing_known_job_clears_the_credential_and_is_forgotten()
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
    public void Calls_wait_at_most_two_seconds_while_a_successor_credential_is_tried()
    {
        Note(CallOutcome.Refused);
        Assert.False(_health.IsInDoubt("key", _now));
        _health.Record(new EndedCall(CallOutcome.Refused, "key"), ["key", "next"], _now);
        Assert.True(_health.IsInDoubt("key", _now + 2 * Second - 1));
        Assert.False(_health.IsInDoubt("next", _now));
        Assert.False(_health.IsInDoubt("key", _now + 2 * Second));
    }

    [Fact]
    public void After_both_credentials_were_refused_no_refusal_makes_calls_wait_for_ten_seconds()
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
    public void A_credential_is_dead_once_its_successor_was_accepted_and_a_late_acceptance_does_not_revive_it()
    {
        Note(CallOutcome.Accepted);
        _now += Second;
        _health.Record(new EndedCall(CallOutcome.Refused, "key"), ["key", "next"], _now);
        _health.Record(new EndedCall(CallOutcome.Accepted, "next", Supersedes: "key"), ["key", "next"], _now);
        Note(CallOutcome.Accepted, 5);
        Assert.Equal(["key"], Dead(_health));
        Assert.Equal(["next"], Accepted(_health));
        Assert.False(_health.IsInDoubt("key", _now));
        // A refused credential is not in doubt if the only other one is dead.
        _health.Record(new EndedCall(CallOutcome.Refused, "next"), ["key", "next"], _now);
        Assert.False(_health.IsInDoubt("next", _now));
    }

    [Fact]
    public void A_merge_adds_the_facts_of_the_other_copy_and_removes_none()
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
    public void Only_the_eight_latest_credentials_are_remembered()
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
