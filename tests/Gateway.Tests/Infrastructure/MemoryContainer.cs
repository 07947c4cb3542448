using System.Globalization;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A limit of memory for a process, as a container has. The kernel enforces the limit by a cgroup, if the machine
/// allows one. Otherwise .NET is only told of the limit, and behaves in the same way.
/// </summary>
internal sealed class MemoryContainer : IDisposable
{
    private readonly string? _folder;
    private readonly long _bytes;

    private MemoryContainer(string? folder, long bytes) => (_folder, _bytes) = (folder, bytes);

    public static MemoryContainer Create(long bytes)
    {
        var name = $"gateway-test-{Guid.NewGuid():N}";
        var limit = bytes.ToString(CultureInfo.InvariantCulture);
        return new(
            TryCreate($"/sys/fs/cgroup/memory/{name}", "memory.limit_in_bytes", limit)
            ?? TryCreate($"/sys/fs/cgroup/{name}", "memory.max", limit), bytes);
    }

    /// <summary>The command that runs a program in the container.</summary>
    public string[] Run(string command) => _folder is null
        ? ["sh", "-c", $"DOTNET_GCTotalPhysicalMemory={_bytes:x} {command}"]
        : ["sh", "-c", $"echo $$ > {_folder}/cgroup.procs && {command}"];

    public override string ToString() => _folder is null ? "limit told to .NET" : $"limit of {_folder}";

    public void Dispose()
    {
        if (_folder is not null) Directory.Delete(_folder);
    }

    private static string? TryCreate(string folder, string file, string limit)
    {
        try
        {
            if (!File.Exists(Path.Combine(Path.GetDirectoryName(folder)!, "cgroup.procs"))) return null;
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, file), limit);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(folder)) Directory.Delete(folder);
            return null;
        }
    }
}
