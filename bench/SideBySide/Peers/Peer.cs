using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>A server that serves the upstream's jobs, on its own core.</summary>
internal abstract class Peer(Bench bench, string name) : IAsyncDisposable
{
    /// <summary>The rate of limits that no run reaches; the measurement includes counting them.</summary>
    protected const int NeverRefusedPerSecond = 1_000_000;

    private Child? _process;

    protected Bench Bench => bench;

    protected int Port { get; } = Child.FreePort();

    protected int Http2Port { get; } = Child.FreePort();

    public string Name => name;

    /// <summary>A caller's key that the peer accepts.</summary>
    public string Key => bench.Keys[0].Key;

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    /// <summary>The address for HTTP/2 in clear text with prior knowledge, or null.</summary>
    public virtual Uri? Http2Address => null;

    public virtual bool ChecksKeys => true;

    /// <summary>True if its answers come from the upstream.</summary>
    public virtual bool AsksUpstream => true;

    /// <summary>The peer's own Redis, or null.</summary>
    public virtual Child? Redis => null;

    /// <summary>The address of its Redis. Null: a peer that needs Redis starts its own. Empty: no Redis.</summary>
    public string? RedisAddress { get; set; }

    public Child Process => _process ?? throw new InvalidOperationException($"{name} was not started.");

    public async Task<Peer> StartAsync()
    {
        _process = await LaunchAsync();
        await _process.ListeningAsync(Port, bench.Stop);
        return this;
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
    }

    protected abstract Task<Child> LaunchAsync();

    protected Child Launch(string command, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null) =>
        Child.Start(bench.Machine.ServerCore, command, arguments, environment);
}
