using System.Diagnostics;

namespace Gateway.HitCost;

/// <summary>Controls a measured process from outside. For use by one thread.</summary>
internal sealed class Host : IDisposable
{
    private readonly Process _process;
    private readonly int _thread;
    private readonly Places _places;

    /// <summary>Starts the process, and waits until it is warm.</summary>
    /// <param name="name">A name of a host in <see cref="Subject"/>.</param>
    public Host(string name)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [typeof(Host).Assembly.Location, "subject", name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var (variable, value) in Runtime) start.Environment[variable] = value;
        _process = Process.Start(start)!;
        var said = Read();
        if (said.Split(' ') is not [Subject.Ready, var thread, .. var bytes]) throw new InvalidOperationException(said);
        _thread = int.Parse(thread, null);
        Bytes = Array.ConvertAll(bytes, long.Parse);
        _places = new Places(_process.Id);
    }

    /// <summary>The bytes that a request of each kind allocates.</summary>
    public long[] Bytes { get; }

    // All code is compiled once, fully optimised, and without instructions that only some processors have (AVX-512, and
    // SHA-256 in OpenSSL), so that counts do not depend on the compiler's timing or the machine. The heap is large
    // enough to need no collection.
    private static Dictionary<string, string> Runtime => new()
    {
        ["DOTNET_TieredCompilation"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ReadyToRun"] = "0",
        ["DOTNET_EnableAVX512"] = "0",
        ["DOTNET_GCgen0size"] = "10000000",
        // Writes only the addresses of methods.
        ["DOTNET_PerfMapEnabled"] = "3",
        ["OPENSSL_ia32cap"] = ":~0x20000000",
    };

    /// <summary>Counts the instructions of one request.</summary>
    /// <param name="added">The number of instructions to add.</param>
    /// <exception cref="InvalidOperationException">The answer was wrong, or stepping was disturbed.</exception>
    /// <exception cref="NotPermittedException">The system does not permit tracing other processes.</exception>
    public Instructions Count(Kind kind, int added = 0)
    {
        var byAddress = new Dictionary<long, long>();
        Stepper.Step(_thread, () => Tell($"{kind} {added}"), at => byAddress[at] = byAddress.GetValueOrDefault(at) + 1);
        if (Read() is not Subject.Answered and var wrong) throw new InvalidOperationException(wrong);
        return new Instructions(byAddress.GroupBy(of => _places.NameOf(of.Key))
            .ToDictionary(of => of.Key, of => of.Sum(one => one.Value)));
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(5000)) _process.Kill();
        File.Delete(Places.MapOf(_process.Id));
        _process.Dispose();
    }

    private void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    private string Read()
    {
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            if (line.StartsWith(Subject.Prefix, StringComparison.Ordinal)) return line[Subject.Prefix.Length..];
            Console.Error.WriteLine(line);
        }
        throw new InvalidOperationException("The process has ended.");
    }
}
