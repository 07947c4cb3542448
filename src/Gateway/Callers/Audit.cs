using System.Diagnostics;
using Gateway.Telemetry;

namespace Gateway.Callers;

/// <summary>
/// Writes a line for each action of an operator, and for each login and logout, to a category of its own. Lines of
/// identified callers are always written. Of callers that are not identified, within a second, the first refusal of a
/// kind from a source writes a line, and one line counts the others, so that nobody can flood the log.
/// </summary>
internal sealed partial class Audit : IDisposable
{
    public const string Category = "Gateway.Audit";

    /// <summary>The actions of users.</summary>
    public const string Login = "login", Logout = "logout", BackChannelLogout = "backchannel-logout";

    private const int MostKinds = 100;

    private const string Nobody = "-";

    private readonly ILogger _logger;
    private readonly PerSecond<Kind> _kinds;

    public Audit(ILoggerFactory loggers, TimeProvider clock)
    {
        _logger = loggers.CreateLogger(Category);
        _kinds = new(whole: 1, MostKinds, rest: default, clock, (kind, count) =>
        {
            if (kind.Source is null) Log.Others(_logger, count);
            else Log.More(_logger, count, kind.Action, kind.Source, kind.Outcome);
        });
    }

    /// <summary>Notes what an identified caller did.</summary>
    /// <param name="actor">The id of a key, or the subject of a user.</param>
    /// <param name="outcome">The slug of the problem if the action failed.</param>
    public void Note(HttpContext http, string actor, string action, string target, string? outcome = null)
    {
        var level = outcome is null ? LogLevel.Information : LogLevel.Warning;
        Write(level, http, actor, action, target, outcome ?? "succeeded");
    }

    /// <summary>Notes that an action was refused because its caller was not identified, or may not do it.</summary>
    /// <param name="actor">Null if nobody was identified.</param>
    /// <param name="outcome">The slug of the problem.</param>
    public void Refuse(HttpContext http, string? actor, string action, string target, string outcome)
    {
        if (!_kinds.Take(new Kind(action, outcome, actor ?? FailedAttemptLimiter.NetworkOf(http)))) return;
        Write(LogLevel.Warning, http, actor ?? Nobody, action, target, outcome);
    }

    public void Dispose() => _kinds.Dispose();

    private void Write(
        LogLevel level, HttpContext http, string actor, string action, string target, string outcome)
    {
        if (!_logger.IsEnabled(level)) return;
        var source = http.Connection.RemoteIpAddress?.ToString() ?? Nobody;
        // A caller can write anything into a path.
        (actor, target) = (LogText.Clean(actor), LogText.Clean(target));
        Log.Line(_logger, level, actor, action, target, outcome, source, Activity.Current?.TraceId);
    }

    private readonly record struct Kind(string Action, string Outcome, string? Source);

    private static partial class Log
    {
        [LoggerMessage(
            Message = "{Actor} {Action} {Target}: {Outcome}, from {Source}, trace {TraceId}", EventName = "Action")]
        public static partial void Line(
            ILogger logger, LogLevel level, string actor, string action, string target, string outcome,
            string source, ActivityTraceId? traceId);

        [LoggerMessage(LogLevel.Warning,
            "{Count} more attempts of {Action} from {Source} ended with {Outcome} within a second")]
        public static partial void More(ILogger logger, int count, string action, string source, string outcome);

        [LoggerMessage(LogLevel.Warning,
            "{Count} more attempts of other kinds or sources were refused within a second")]
        public static partial void Others(ILogger logger, int count);
    }
}
