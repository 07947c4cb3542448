using Gateway.Configuration;

namespace Gateway.Admin;

/// <summary>
/// <c>GET /admin/configuration</c>: the configuration of this node in force, and the last one that was refused, for
/// operators.
/// </summary>
internal static class ConfigurationEndpoint
{
    public static void Map(WebApplication app) => OperatorGate.MapReport<IConfigurationState>(
        app, "/admin/configuration", "read-configuration", Report);

    private static object Report(IConfigurationState state)
    {
        // Read this first: it changes last.
        var isRefused = state.Errors.Count > 0;
        return new
        {
            in_force_since = state.AppliedAt.UtcDateTime,
            newest_is_refused = isRefused,
            last_refusal = state.LastRefusal is not { } refusal ? null
                : new { at = refusal.At.UtcDateTime, until = refusal.Until?.UtcDateTime, reasons = refusal.Reasons },
            need_restart = state.NeedRestart,
            sources = state.Sources.Select(source => new { name = source.Name, files = source.Files }),
            settings = state.InForce.Select(
                setting => new { key = setting.Key, value = setting.Value, source = setting.Source }),
        };
    }
}
