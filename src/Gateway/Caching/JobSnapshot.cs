using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;

namespace Gateway.Caching;

/// <summary>
/// One stored answer of the upstream about a job, shared by all callers. The answer is immutable. Values derived from
/// it, such as its body in another coding, are cached with it. Its times are by this node's <see cref="SteadyClock"/>;
/// in Redis they are by the wall clock.
/// </summary>
internal sealed class JobSnapshot
{
    // The bytes on a 64-bit heap beside the body bytes. A snapshot: the object, its key, its cache entry and its hit
    // fields. A body: the array header, the object and the entity tag. An encoding: the task.
    private const int Overhead = 614 + 270, OverheadOfBody = 150, OverheadOfEncoding = 40;

    // The longest time that an encoding waits for memory.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private JobTimes? _times;
    // UTC ticks; 0 for none. Every cached job has these, so they are smaller than a nullable DateTimeOffset.
    private readonly long _firstSeenAt, _askAgainAt;
    private long _heldUntil;
    private Task<Representation?>? _gzip, _brotli;

    /// <summary>The fields of the last hit.</summary>
    public HitFields? HitFields { get; set; }

    /// <summary>The order of the fetch (<see cref="FetchOrder"/>).</summary>
    public required long Order { get; init; }

    /// <summary>Finished, Settling, Failed, Running, NotFound, Gone or Legal.</summary>
    public required VerdictKind Kind { get; init; }

    /// <summary>When the upstream sent the answer.</summary>
    public required DateTimeOffset FetchedAt { get; init; }

    /// <summary>When the snapshot becomes stale.</summary>
    public required DateTimeOffset FreshUntil { get; init; }

    /// <summary>When the gateway first received the same bytes, as far as it knows.</summary>
    public DateTimeOffset FirstSeenAt
    {
        get => _firstSeenAt == 0 ? FetchedAt : new DateTimeOffset(_firstSeenAt, TimeSpan.Zero);
        init => _firstSeenAt = value.UtcTicks;
    }

    /// <summary>When the first of the signed URLs in the body expires; null if there is none that worked.</summary>
    public DateTimeOffset? UrlsExpireAt { get; init; }

    /// <summary>The earliest next fetch that the upstream asks for; null if it asks for none.</summary>
    public DateTimeOffset? AskAgainAt
    {
        get => _askAgainAt == 0 ? null : new DateTimeOffset(_askAgainAt, TimeSpan.Zero);
        init => _askAgainAt = value?.UtcTicks ?? 0;
    }

    /// <summary>The body without a coding. If the job is absent: the upstream's error object, or nothing.</summary>
    public required Representation Identity { get; init; }

    /// <summary>Whether a soft purge has ended the freshness.</summary>
    public bool WasSoftPurged { get; private init; }

    /// <summary>Whether the upstream has no such job to give: 404, 410 or 451.</summary>
    public bool IsAbsent => Kind is VerdictKind.NotFound or VerdictKind.Gone or VerdictKind.Legal;

    /// <summary>The times that the body states, parsed on first use.</summary>
    public JobTimes Times => _times ??= JobTimes.Read(Identity.Body.Span);

    /// <summary>The size in memory, in bytes.</summary>
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
    /// Returns the body in the first of the codings that makes it smaller; null if that coding is not made yet.
    /// </summary>
    public Representation? Find(ContentCoding[] wanted)
    {
        foreach (var coding in wanted)
        {
            if (coding == ContentCoding.Identity) break;
            var making = coding == ContentCoding.Brotli ? _brotli : _gzip;
            if (making is not { IsCompletedSuccessfully: true }) return null;
            if (making.Result is { } encoded) return encoded;
        }
        return Identity;
    }

    /// <summary>
    /// Returns the body in the first of the codings that makes it smaller, and makes the coding if necessary. Each
    /// coding is made once, on the thread pool, for all callers who wait for it.
    /// </summary>
    /// <param name="room">The budget for the encoded bytes; null for no limit.</param>
    /// <exception cref="OutOfMemoryException">The budget had no room in time.</exception>
    public async Task<Representation> EncodeAsync(ContentCoding[] wanted, ByteBudget? room = null)
    {
        foreach (var coding in wanted)
        {
            if (coding == ContentCoding.Identity) break;
            var making = coding == ContentCoding.Brotli
                ? Make(ref _brotli, coding, room) : Make(ref _gzip, coding, room);
            if (await making is { } encoded) return encoded;
        }
        return Identity;
    }

    /// <summary>Returns a copy with all times converted to another clock.</summary>
    /// <param name="by">The lead of the other clock; negative if it is behind.</param>
    public JobSnapshot Moved(TimeSpan by) => by == TimeSpan.Zero ? this : Moved(by, Add(UrlsExpireAt, by));

    /// <summary>
    /// Corrects a snapshot whose times are ahead of this node's clock: the writing node's clock may be fast, or this
    /// node's clock may have been set back. A snapshot that is ahead by a time t counts as fetched t ago. Its age is
    /// then never negative, and its freshness never exceeds its lifetime.
    /// </summary>
    public JobSnapshot Corrected(DateTimeOffset now)
    {
        var ahead = FetchedAt - now;
        if (ahead <= TimeSpan.Zero) return this;
        return Moved(-2 * ahead, UrlsExpireAt);
    }

    /// <summary>
    /// Returns a copy that is stale since a soft purge. It may be served while the upstream fails, as if it had been
    /// fetched at the purge, because it was valid until then. Returns the snapshot itself if it was stale already.
    /// </summary>
    public JobSnapshot StaleSince(DateTimeOffset purge) => !IsFresh(purge) ? this
        : new()
        {
            Order = Order,
            Kind = Kind,
            FetchedAt = FetchedAt,
            FreshUntil = purge,
            FirstSeenAt = FirstSeenAt,
            UrlsExpireAt = UrlsExpireAt,
            AskAgainAt = AskAgainAt,
            WasSoftPurged = true,
            _times = _times,
            _gzip = _gzip,
            _brotli = _brotli,
            Identity = Identity,
        };

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

    private static DateTimeOffset? Add(DateTimeOffset? time, TimeSpan by) =>
        time is { } known ? SteadyClock.Add(known, by) : null;

    private Task<Representation?> Make(ref Task<Representation?>? slot, ContentCoding coding, ByteBudget? room)
    {
        // Repeat an encoding that failed, for example because memory was short.
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
    /// Whether this snapshot may replace another one of the same job. An unfinished job never replaces a finished one.
    /// Otherwise the later fetch wins, so an absent job (404, 410, 451) replaces any older snapshot.
    /// <c>store-job.lua</c> applies the same rule in Redis.
    /// </summary>
    public bool Outranks(JobSnapshot? other)
    {
        if (other is null) return true;
        var (finished, otherFinished) = (Kind == VerdictKind.Finished, other.Kind == VerdictKind.Finished);
        var isByOrder = finished == otherFinished || IsAbsent || other.IsAbsent;
        return isByOrder ? Order > other.Order : finished;
    }

    public bool IsFresh(DateTimeOffset now) => now < FreshUntil || now.UtcTicks < Volatile.Read(ref _heldUntil);

    /// <summary>Until when the snapshot is fresh on this node.</summary>
    public DateTimeOffset FreshUntilHere =>
        Volatile.Read(ref _heldUntil) is var held && held > FreshUntil.UtcTicks
            ? new DateTimeOffset(held, TimeSpan.Zero) : FreshUntil;

    /// <summary>
    /// Extends the freshness on this node, because the upstream's latest answer does not outrank this snapshot.
    /// </summary>
    public void Hold(DateTimeOffset until) => Volatile.Write(ref _heldUntil, until.UtcTicks);

    /// <summary>Whether the snapshot may be served as stale while the upstream fails.</summary>
    public bool MayServeStale(TimeSpan staleIfError, DateTimeOffset now) => !IsAbsent && now < StaleUntil(staleIfError);

    /// <summary>How long the snapshot may still be used; zero or negative if it has no use any more.</summary>
    public TimeSpan Retention(TimeSpan staleIfError, DateTimeOffset now)
    {
        if (IsAbsent) return FreshUntil - now;
        // Keep it for a second lifetime, so that the next fetch can tell for how long the bytes have been the same.
        var isUnsettled = Kind is VerdictKind.Settling or VerdictKind.Running;
        var known = isUnsettled ? FreshUntil + (FreshUntil - FetchedAt) : FreshUntil;
        var stale = StaleUntil(staleIfError);
        return (stale > known ? stale : known) - now;
    }

    /// <summary>Until when the snapshot may be served while the upstream fails.</summary>
    public DateTimeOffset StaleUntil(TimeSpan staleIfError)
    {
        var until = (WasSoftPurged ? FreshUntil : FetchedAt) + staleIfError;
        return UrlsExpireAt < until ? UrlsExpireAt.Value : until;
    }

    private static long SizeOf(Task<Representation?>? made) =>
        made is { IsCompletedSuccessfully: true, Result: { } encoded }
            ? OverheadOfBody + OverheadOfEncoding + encoded.Body.Length : 0;
}
