using System.Diagnostics;
using System.Security.Authentication;
using Gateway.Configuration;

namespace Gateway.Outbound;

/// <summary>
/// The certificates in force for the connections to one server. Their files are read again, so that certificates that
/// were renewed are used for the next connection. While a file is wrong, those that were read last stay in use.
/// </summary>
/// <param name="files">Returns the files that are configured now.</param>
internal sealed partial class Certificates(Func<TlsFiles> files, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), LongestRead = TimeSpan.FromSeconds(1),
        LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _starting = new(), _loading = new();
    private Task _read = Task.CompletedTask;
    private long _readAt;
    private volatile Loaded? _loaded;
    private string _reported = "";
    private long _reportedAt;

    /// <summary>Reads the files, and returns what is in force then.</summary>
    public Tls Read()
    {
        lock (_loading)
        {
            var named = files();
            if (!named.AreNamed) return Tls.OfSystem;
            var errors = new ConfigurationErrors();
            var content = named.Read(errors);
            if (_loaded is { } same && same.Files == named && same.Content == content) return same.Tls;
            var tls = named.Parse(content, errors);
            if (errors.Lines.Count == 0) _loaded = new Loaded(named, content, tls);
            else Report(string.Join("; ", errors.Lines));
            return (_loaded ??= new Loaded(named, Content: null, tls)).Tls;
        }
    }

    /// <summary>
    /// Returns what is in force. If the last look at the files is a second ago, they are read first, on the thread
    /// pool, for at most a second.
    /// </summary>
    public async ValueTask<Tls> CurrentAsync()
    {
        var named = files();
        if (!named.AreNamed) return Tls.OfSystem;
        Task read;
        lock (_starting)
        {
            var isDue = _loaded?.Files != named || Stopwatch.GetElapsedTime(_readAt) >= Interval;
            if (_read.IsCompleted && isDue) (_readAt, _read) = (Stopwatch.GetTimestamp(), Task.Run(Read));
            read = _read;
        }
        var left = LongestRead - Stopwatch.GetElapsedTime(_readAt);
        if (!read.IsCompleted && left > TimeSpan.Zero)
        {
            await read.WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return _loaded?.Tls ?? Tls.OfSystem;
    }

    /// <summary>Describes a failure of TLS, and what an operator can do about it.</summary>
    /// <param name="failure">The exception of a request or a connection.</param>
    /// <param name="hasEnded">
    /// Whether the server closed a new TLS connection before it answered. With TLS 1.3, this is how some servers refuse
    /// the certificate of a client.
    /// </param>
    /// <returns>Null if TLS has not failed.</returns>
    public string? Explain(Exception failure, bool hasEnded = false)
    {
        var problem = CauseOf(failure)?.Message.TrimEnd('.')
            ?? (hasEnded ? "The server closed the new connection before it answered" : null);
        return problem is null ? null : $"{problem}. {AdviceFor(problem)}.";
    }

    private string AdviceFor(string problem)
    {
        var (named, shown) = (files(), _loaded?.Tls.Client?.TargetCertificate);
        if (problem.Contains("RemoteCertificateNameMismatch", StringComparison.Ordinal))
        {
            return "The server's certificate is for another name: use a name that it has";
        }
        if (problem.Contains("remote certificate", StringComparison.OrdinalIgnoreCase))
        {
            return named.Authority.Length == 0
                ? $"If a private authority signed the server's certificate, set {named.AuthorityOption} to its file"
                : $"The server's certificate has expired, or the file of {named.AuthorityOption} does not hold the "
                    + "authority that signed it";
        }
        if (shown is null) return $"If the server asks for a certificate, set {named.CertificateOption}";
        return shown.NotAfter.ToUniversalTime() <= DateTime.UtcNow
            ? $"The certificate of {named.CertificateOption} has expired: replace its file"
            : $"The server may not accept the certificate of {named.CertificateOption}";
    }

    /// <summary>Returns the exception of TLS among the causes of an exception.</summary>
    public static Exception? CauseOf(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            // With TLS 1.3, the server refuses the client's certificate after the handshake.
            if (failure is AuthenticationException || failure.GetType().Name == "SslException") return failure;
        }
        return null;
    }

    private void Report(string errors)
    {
        if (errors == _reported && Stopwatch.GetElapsedTime(_reportedAt) < LogInterval) return;
        (_reported, _reportedAt) = (errors, Stopwatch.GetTimestamp());
        Log.Wrong(logger, errors);
    }

    /// <param name="Content">Null if it was wrong.</param>
    private sealed record Loaded(TlsFiles Files, TlsContent? Content, Tls Tls);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "The certificates that were read last stay in use: {Errors}")]
        public static partial void Wrong(ILogger logger, string errors);
    }
}
