using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Peers;

/// <summary>A server that answers for the upstream, alone on its core.</summary>
internal abstract class Peer(Bench bench, string name) : IAsyncDisposable
{
    /// <summary>With limits that no run comes near: what is measured is that they are counted.</summary>
    protected const int NeverRefusedPerSecond = 1_000_000;

    private Child? _process;

    protected Bench Bench => bench;

    protected int Port { get; } = Child.FreePort();

    protected int Http2Port { get; } = Child.FreePort();

    public string Name => name;

    /// <summary>A caller's key that it takes.</summary>
    public string Key => bench.Keys[0].Key;

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    /// <summary>Where it speaks HTTP/2 in clear text from the first byte; null: nowhere.</summary>
    public virtual Uri? Http2Address => null;

    public virtual bool ChecksKeys => true;

    /// <summary>Whether it has the answers of the upstream.</summary>
    public virtual bool AsksUpstream => true;

    /// <summary>The Redis that is its own; null where it has none.</summary>
    public virtual Child? Redis => null;

    /// <summary>
    /// Where its Redis is. Null: where it has one, it is one of its own, which is started with it; empty: it has none.
    /// </summary>
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

    protected Child Launch(string command, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null) =>
        Child.Start(bench.Machine.ServerCore, command, arguments, environment);
}
