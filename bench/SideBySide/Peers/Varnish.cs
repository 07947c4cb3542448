using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>
/// Varnish: keys in VCL, vsthrottle per team, the credential injected on the way to the upstream, and bodies in
/// memory.
/// </summary>
internal sealed class Varnish(Bench bench) : Peer(bench, "varnish")
{
    public override Uri? Http2Address => Address;

    protected override async Task<Child> LaunchAsync()
    {
        var folder = Bench.NewFolder(Name);
        var file = Path.Combine(folder, "jobs.vcl");
        await File.WriteAllTextAsync(file, Configuration(), Bench.Stop);
        // Without this option it would switch to a user who may not read this folder.
        return Launch("varnishd",
        [
            "-j", "none", "-F", "-n", Path.Combine(folder, "work"), "-f", file, "-a", $"127.0.0.1:{Port}",
            "-s", "malloc,4g",
            "-p", "feature=+http2", "-p", "timeout_idle=3600",
        ]);
    }

    private static string TeamRule((string Team, string Key) caller) =>
        $$"""if (req.http.X-Api-Key == "{{caller.Key}}") { set req.http.X-Team = "{{caller.Team}}"; }""";

    private string Configuration() => $$"""
        vcl 4.1;
        import vsthrottle;
        backend upstream { .host = "{{Bench.Upstream.Host}}"; .port = "{{Bench.Upstream.Port}}"; }
        sub vcl_recv {
        {{string.Join("\n  else ", Bench.Keys.Select(TeamRule))}}
          else { return (synth(401)); }
          if (vsthrottle.is_denied(req.http.X-Team, {{NeverRefusedPerSecond}}, 1s)) { return (synth(429)); }
          unset req.http.X-Api-Key;
          unset req.http.X-Team;
          unset req.http.Authorization;
          if (req.method != "GET" && req.method != "HEAD") { return (synth(405)); }
          return (hash);
        }
        sub vcl_backend_fetch {
          set bereq.http.Authorization = "{{Bench.Credential}}";
        }

        """;
}
