using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>
/// HAProxy with one thread: a map file of keys, a stick table per team, the injected credential, and its own cache.
/// </summary>
internal sealed class Haproxy(Bench bench) : Peer(bench, "haproxy")
{
    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    protected override async Task<Child> LaunchAsync()
    {
        var folder = Bench.NewFolder(Name);
        var (file, keys) = (Path.Combine(folder, "haproxy.cfg"), Path.Combine(folder, "keys.map"));
        await File.WriteAllLinesAsync(keys, Bench.Keys.Select(key => $"{key.Key} {key.Team}"), Bench.Stop);
        await File.WriteAllTextAsync(file, Configuration(keys), Bench.Stop);
        return Launch("haproxy", ["-db", "-f", file]);
    }

    private string Configuration(string keys) => $$"""
        global
          nbthread 1
          maxconn 12000
          no strict-limits
        defaults
          mode http
          timeout connect 5s
          timeout client 1h
          timeout server 1h
          timeout http-keep-alive 1h
        cache jobs
          total-max-size 2047
          max-object-size 65536
          max-age 86400
        backend teams
          stick-table type string len 32 size 1k expire 1h store http_req_rate(1s)
        frontend callers
          bind 127.0.0.1:{{Port}} backlog 16384
          bind 127.0.0.1:{{Http2Port}} proto h2
          http-request set-var(txn.team) req.hdr(X-Api-Key),map_str({{keys}})
          http-request deny deny_status 401 unless { var(txn.team) -m found }
          http-request track-sc0 var(txn.team) table teams
          http-request deny deny_status 429 if { sc_http_req_rate(0,teams) gt {{NeverRefusedPerSecond}} }
          http-request del-header X-Api-Key
          http-request del-header Authorization
          http-request cache-use jobs
          http-response cache-store jobs
          # wrk waits for the body that the length in a 304 seems to announce.
          http-after-response del-header Content-Length if { status 304 }
          default_backend upstream
        backend upstream
          http-request set-header Authorization "{{Bench.Credential}}"
          http-reuse always
          server upstream {{Bench.Upstream.Authority}}

        """;
}
