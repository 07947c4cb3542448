using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace Gateway.Upstream;

/// <summary>The current credentials of each account.</summary>
internal sealed partial class Accounts(
    IOptionsMonitor<UpstreamOptions> upstream, TimeProvider clock, ILogger<Accounts> logger)
{
    // A file system that does not answer, for example of a network, delays a call by this time, once.
    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Credential> _lastRead = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Reading> _readings = new(StringComparer.Ordinal);

    public IEnumerable<string> Names =>
        upstream.CurrentValue.Accounts.Where(account => !account.Value.IsEmpty).Select(account => account.Key);

    /// <summary>
    /// The credential for the next call, and then its successor. A file is read at each call, so that a replaced
    /// credential counts at once. Files are read on the thread pool, because the caller may be on an I/O thread. If a
    /// file cannot be read within a second, or does not hold a credential, the one that was read last is used.
    /// </summary>
    /// <returns>Empty: the account is gone from the configuration, or its files never held a credential.</returns>
    public ValueTask<Credential[]> CredentialsOfAsync(string account)
    {
        if (!upstream.CurrentValue.Accounts.TryGetValue(account, out var options)) return new([]);
        var hasFile = options.CredentialFile.Length + options.NextCredentialFile.Length > 0;
        return hasFile ? ReadAsync(account, options) : new(Known(options));
    }

    private async ValueTask<Credential[]> ReadAsync(string account, AccountOptions options)
    {
        await Task.WhenAll(ReadAsync(account, options.CredentialFile), ReadAsync(account, options.NextCredentialFile));
        return Known(options);
    }

    // One reader at a time for each file, so that a dead file system does not block more and more threads.
    private async Task ReadAsync(string account, string file)
    {
        if (file.Length == 0) return;
        var mine = new Reading(() => Read(account, file), clock.GetTimestamp());
        var reading = _readings.GetOrAdd(file, mine);
        if (reading == mine) mine.Task.Start(TaskScheduler.Default);
        var left = LongestRead - clock.GetElapsedTime(reading.Started);
        if (left > TimeSpan.Zero)
        {
            await reading.Task.WaitAsync(left, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!reading.Task.IsCompleted) Log.Unreadable(logger, account, "the file does not answer");
    }

    private void Read(string account, string file)
    {
        // An unchanged credential is not parsed again.
        var last = _lastRead.GetValueOrDefault(file);
        if (Credential.TryReadFile(file, out var read, out var problem, last)) _lastRead[file] = read;
        else Log.Unreadable(logger, account, problem);
        _readings.TryRemove(file, out _);
    }

    private Credential[] Known(AccountOptions options)
    {
        var first = Known(options.Credential, options.CredentialFile);
        if (!options.HasNext) return first is null ? [] : [first];
        var next = Known(options.NextCredential, options.NextCredentialFile);
        return [.. new[] { first, next }.OfType<Credential>().DistinctBy(credential => credential.Fingerprint)];
    }

    private Credential? Known(string configured, string file) =>
        _lastRead.GetValueOrDefault(file.Length == 0 ? configured : file) is { } known ? known
        : file.Length == 0 && Credential.TryParse(configured, out var parsed) ? _lastRead[configured] = parsed : null;

    private sealed class Reading(Action read, long started)
    {
        public Task Task { get; } = new(read);

        public long Started => started;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Credential file of account {Account}: {Problem}")]
        public static partial void Unreadable(ILogger logger, string account, string problem);
    }
}
