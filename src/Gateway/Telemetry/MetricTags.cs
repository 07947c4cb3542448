namespace Gateway.Telemetry;

/// <summary>
/// The names of the tags that several features use. The names follow the OpenTelemetry semantic conventions; names that
/// the conventions do not define begin with <c>gateway.</c>.
/// </summary>
internal static class MetricTags
{
    public const string Team = "gateway.team.name", Operation = "gateway.operation.name",
        Account = "gateway.account.name", CacheOutcome = "gateway.cache.outcome";

    public const string Status = "http.response.status_code", Error = "error.type";
}
