using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;

namespace Gateway.Caching;

/// <summary>
/// One stored answer: the last thing that the upstream said of a job, shared by all callers. It says the same for ever;
/// what is made of it, such as its body in another coding, is kept with it. Its times are by this node's
/// <see cref="SteadyClock"/>; in Redis they are by the wall clock.
/// </summary>
internal sealed class JobSnapshot
{
    // What the heap has of a snapshot beside its bodies, on 64 bits: itself, its names, its place in memory and the
    // fields of its last hit; of each body the array's head, the object and its validator; and of what was made of it
    // the task.
    private const int Overhead = 614 + 270, OverheadOfBody = 150, OverheadOfMaking = 40;

    // How long an encoding waits for memory.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private JobTimes? _times;
    // Ticks, UTC; 0 for none. Every cached job has these.
    private readonly long _firstSeenAt, _askAgainAt;
    private long _heldUntil;
    private Task<Representation?>? _gzip, _brotli;

    /// <summary>Those of the last hit.</summary>
    public HitFields? HitFields { get; set; }

    /// <summary>When it was asked for, in the order of fetches (<see cref="FetchOrder"/>).</summary>
    public required long Order { get; init; }

    /// <summary>Finished, Settling, Failed, Running, NotFound, Gone or Legal.</summary>
    public required VerdictKind Kind { get; init; }

    /// <summary>When the upstream said it.</summary>
    public required DateTimeOffset FetchedAt { get; init; }

    /// <summary>Until when it answers without asking again.</summary>
    public required DateTimeOffset FreshUntil { get; init; }

    /// <summary>When the upstream first said these very bytes, as far as that is known.</summary>
    public DateTimeOffset FirstSeenAt
    {
        get => _firstSeenAt == 0 ? FetchedAt : new DateTimeOffset(_firstSeenAt, TimeSpan.Zero);
        init => _firstSeenAt = value.UtcTicks;
    }

    /// <summary>When the first of the signed URLs within it that worked expires; null where there is none.</summary>
    public DateTimeOffset? UrlsExpireAt { get; init; }

    /// <summary>Before this time the upstream does not want to be asked again; null: it said nothing.</summary>
    public DateTimeOffset? AskAgainAt
    {
        get => _askAgainAt == 0 ? null : new DateTimeOffset(_askAgainAt, TimeSpan.Zero);
        init => _askAgainAt = value?.UtcTicks ?? 0;
    }

    /// <summary>The body as it came. Of NotFound: the upstream's error object, or nothing.</summary>
    public required Representation Identity { get; init; }

    /// <summary>Whether the upstream had no such job to give: 404, 410 or 451.</summary>
    public bool IsAbsent => Kind is VerdictKind.NotFound or VerdictKind.Gone or VerdictKind.Legal;

    /// <summary>What the job says of its own time; read when it is first asked for.</summary>
    public JobTimes Times => _times ??= JobTimes.Read(Identity.Body.Span);

    /// <summary>What it weighs in memory, in bytes.</summary>
    public long Size => Overhead + OverheadOfBody + Identity.Body.Length + SizeOf(_gzip) + SizeOf(_brotli);

    public static JobSnapshot From(
        byte[] body, in Verdict verdict, long order, DateTimeOffset now, DateTimeOffset firstSeen = default) => new()
        {
            Order = order,
            Kind = verdict.Kind,
            FetchedAt = now,
            FreshUntil = now + verdict.Lifetime,
            FirstSeenAt = firstSeen,
            UrlsExpireAt = verdict.UrlsExpireAt,
            AskAgainAt = verdict.AskAgainAt,
            _times = verdict.Times,
            Identity = new Representation(ContentCoding.Identity, body),
        };

    /// <summary>
    /// The first of the wanted codings in which the body is smaller than it came; null: it has yet to be made.
    /// </summary>
    public Representation? Find(ContentCoding[] wanted)
    {
        foreach (var coding in wanted)
        {
            if (coding == ContentCoding.Identity) break;
            if ((coding == ContentCoding.Brotli ? _brotli : _gzip) is not { IsCompletedSuccessfully: true } made) return null;
            if (made.Result is { } encoded) return encoded;
        }
        return Identity;
    }

    /// <summary>
    /// The same; what has yet to be made is made, once for all who wait for it, and on no caller's time.
    /// </summary>
    /// <param name="room">Where the memory for it comes from; null: there is enough.</param>
    /// <exception cref="OutOfMemoryException">There was none in time.</exception>
    public async Task<Representation> EncodeAsync(ContentCoding[] wanted, ByteBudget? room = null)
    {
        foreach (var coding in wanted)
        {
            if (coding == ContentCoding.Identity) break;
            var making = coding == ContentCoding.Brotli ? Make(ref _brotli, coding, room) : Make(ref _gzip, coding, room);
            if (await making is { } encoded) return encoded;
        }
        return Identity;
    }

    /// <summary>The same with all its times moved, for another clock.</summary>
    /// <param name="by">How far that one is ahead; negative: behind.</param>
    public JobSnapshot Moved(TimeSpan by) => by == TimeSpan.Zero ? this : Moved(by, Add(UrlsExpireAt, by));

    /// <summary>
    /// The same with its times corrected where they lie ahead. The clock of the node that wrote it may be fast, or the
    /// clock of this node may have been set back since. The snapshot then counts as being as old as its times lie
    /// ahead: its age is never negative, it is fresh for no longer than it was given, and if it lies further ahead than
    /// that it is stale.
    /// </summary>
    public JobSnapshot Corrected(DateTimeOffset now)
    {
        var ahead = FetchedAt - now;
        if (ahead <= TimeSpan.Zero) return this;
        return Moved(-2 * ahead, UrlsExpireAt);
    }

    private JobSnapshot Moved(TimeSpan by, DateTimeOffset? urlsExpireAt) => new()
    {
        Order = Order,
        Kind = Kind,
        FetchedAt = SteadyClock.Add(FetchedAt, by),
        FreshUntil = SteadyClock.Add(FreshUntil, by),
        FirstSeenAt = SteadyClock.Add(FirstSeenAt, by),
        UrlsExpireAt = urlsExpireAt,
        AskAgainAt = Add(AskAgainAt, by),
        _times = _times,
        Identity = Identity,
    };

    private static DateTimeOffset? Add(DateTimeOffset? time, TimeSpan by) => time is { } some ? SteadyClock.Add(some, by) : null;

    private Task<Representation?> Make(ref Task<Representation?>? slot, ContentCoding coding, ByteBudget? room)
    {
        // What failed, for want of memory say, is tried again.
        var before = Volatile.Read(ref slot);
        if (before is { IsFaulted: false }) return before;
        var begin = new Task<Task<Representation?>>(() => EncodeAsync(coding, room));
        var making = begin.Unwrap();
        if (Interlocked.CompareExchange(ref slot, making, before) is { } already && already != before) return already;
        begin.Start(TaskScheduler.Default);
        return making;
    }

    private async Task<Representation?> EncodeAsync(ContentCoding coding, ByteBudget? room)
    {
        using var share = room?.NewShare(LongestWait);
        var length = Identity.Body.Length;
        if (share is not null && length > ByteBudget.SmallBody && !await share.GrowToAsync(2L * length, default))
        {
            throw new InsufficientMemoryException();
        }
        return Identity.Encoded(coding, thorough: Kind == VerdictKind.Finished);
    }

    /// <summary>
    /// Whether it may take the place of another of the same job: a finished job is never replaced by an unfinished one,
    /// and otherwise the one that was asked for later counts, so that a job that is gone (404, 410, 451) takes the
    /// place of any older one. Redis keeps the same rule (<c>SharedJobs</c>).
    /// </summary>
    public bool Outranks(JobSnapshot? other)
    {
        if (other is null) return true;
        var (finished, otherFinished) = (Kind == VerdictKind.Finished, other.Kind == VerdictKind.Finished);
        var isByOrder = finished == otherFinished || IsAbsent || other.IsAbsent;
        return isByOrder ? Order > other.Order : finished;
    }

    public bool IsFresh(DateTimeOffset now) => now < FreshUntil || now.UtcTicks < Volatile.Read(ref _heldUntil);

    /// <summary>
    /// Lets it answer for a while longer on this node: the upstream was asked just now, and its answer may not take the
    /// place of this one.
    /// </summary>
    public void Hold(DateTimeOffset until) => Volatile.Write(ref _heldUntil, until.UtcTicks);

    /// <summary>Whether it may answer for a failing upstream, visibly stale: only a job, while it is young.</summary>
    public bool MayServeStale(TimeSpan staleIfError, DateTimeOffset now) => !IsAbsent && now < StaleUntil(staleIfError);

    /// <summary>How long it is worth keeping from now on; not positive where it is of no use any more.</summary>
    public TimeSpan Retention(TimeSpan staleIfError, DateTimeOffset now)
    {
        if (IsAbsent) return FreshUntil - now;
        // Kept for as long again, so that the next fetch can tell for how long these bytes have been the same.
        var known = Kind is VerdictKind.Settling or VerdictKind.Running ? FreshUntil + (FreshUntil - FetchedAt) : FreshUntil;
        var stale = StaleUntil(staleIfError);
        return (stale > known ? stale : known) - now;
    }

    private DateTimeOffset StaleUntil(TimeSpan staleIfError)
    {
        var until = FetchedAt + staleIfError;
        return UrlsExpireAt < until ? UrlsExpireAt.Value : until;
    }

    private static long SizeOf(Task<Representation?>? made) =>
        made is { IsCompletedSuccessfully: true, Result: { } encoded } ? OverheadOfBody + OverheadOfMaking + encoded.Body.Length : 0;
}
