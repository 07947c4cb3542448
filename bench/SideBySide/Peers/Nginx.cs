using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>
/// nginx with one worker: a map of keys to teams, a limit per team, the injected credential, and its file cache.
/// </summary>
/// <param name="keepsFilesOpen">
/// True to keep cached files open, which must be configured; otherwise nginx opens a file for each request.
/// </param>
internal sealed class Nginx(Bench bench, bool keepsFilesOpen) : Peer(bench, keepsFilesOpen ? "nginx" : "nginx-files")
{
    private const string BrotliModule = "/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so";

    public override Uri? Http2Address => new($"http://127.0.0.1:{Http2Port}/");

    public static bool HasBrotli => File.Exists(BrotliModule);

    protected override async Task<Child> LaunchAsync()
    {
        var folder = Bench.NewFolder(Name);
        var file = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(file, Configuration(folder), Bench.Stop);
        return Launch("nginx", ["-c", file, "-p", folder, "-e", "stderr"]);
    }

    // With open files, this is the fastest configuration: keys and limits are in memory, and bodies are sent by
    // sendfile.
    private string Configuration(string folder) => $$"""
        {{(HasBrotli ? $"load_module {BrotliModule};" : "")}}
        {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
        worker_processes 1;
        worker_rlimit_nofile 20000;
        daemon off;
        pid {{folder}}/nginx.pid;
        events {
          worker_connections 16000;
        }
        http {
          access_log off;
          sendfile on;
          tcp_nopush on;
          keepalive_timeout 1h;
          keepalive_requests 1000000000;
          {{(keepsFilesOpen ? "open_file_cache max=8000 inactive=1h; open_file_cache_valid 1h;" : "")}}
          client_body_temp_path {{folder}}/body;
          proxy_temp_path {{folder}}/proxy;
          fastcgi_temp_path {{folder}}/fastcgi;
          uwsgi_temp_path {{folder}}/uwsgi;
          scgi_temp_path {{folder}}/scgi;
          map_hash_bucket_size 128;
          map $http_x_api_key $team {
            default "";
        {{string.Join('\n', Bench.Keys.Select(key => $"    {key.Key} {key.Team};"))}}
          }
          limit_req_zone $team zone=teams:1m rate={{NeverRefusedPerSecond}}r/s;
          proxy_cache_path {{folder}}/cache levels=1:2 keys_zone=jobs:200m max_size=20g inactive=1d use_temp_path=off;
          upstream jobs {
            server {{Bench.Upstream.Authority}};
            keepalive 256;
          }
          {{(HasBrotli ? "brotli on; brotli_types application/json;" : "")}}
          server {
            listen 127.0.0.1:{{Port}} backlog=16384;
            listen 127.0.0.1:{{Http2Port}} http2;
            location / {
              if ($team = "") { return 401; }
              limit_req zone=teams burst=1000000 nodelay;
              limit_req_status 429;
              proxy_pass http://jobs;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
              proxy_set_header X-Api-Key "";
              proxy_set_header Accept-Encoding "";
              proxy_set_header Authorization "{{Bench.Credential}}";
              proxy_cache jobs;
              proxy_cache_key $request_uri;
              proxy_cache_lock on;
              add_header X-Cache $upstream_cache_status;
            }
          }
        }

        """;
}
