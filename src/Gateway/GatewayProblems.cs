using Gateway.Admin;
using Gateway.Caching;
using Gateway.Callers;
using Gateway.Limits;
using Gateway.Problems;
using Gateway.Routes;
using Gateway.Upstream;
using Gateway.Watching;

namespace Gateway;

/// <summary>The problem types of all features.</summary>
internal static class GatewayProblems
{
    public static readonly ProblemCatalog Catalog = new(
    [
        .. JobProblems.All, .. CallerProblems.All, .. ProblemType.Common, .. QuotaProblems.All, .. AdminProblems.All,
        .. UpstreamProblems.All, .. RouteProblems.All, .. WatchingProblems.All,
    ]);
}
