using System.Diagnostics;

namespace Gateway.HitCost;

/// <summary>A measured process, from outside. It is used by one thread.</summary>
internal sealed class Host : IDisposable
{
    private readonly Process _process;
    private readonly int _thread;
    private readonly Places _places;

    /// <summary>Starts it, and waits until it is warm.</summary>
    /// <param name="name">One of <see cref="Subject"/>'s.</param>
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

    /// <summary>What a request of each kind allocates.</summary>
    public long[] Bytes { get; }

    // All is compiled once, and well: what becomes of a method must not depend on when the compiler gets to it, nor on
    // what this processor can do beyond others (AVX-512, and SHA-256 in OpenSSL). The memory is enough not to be
    // collected.
    private static Dictionary<string, string> Runtime => new()
    {
        ["DOTNET_TieredCompilation"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ReadyToRun"] = "0",
        ["DOTNET_EnableAVX512"] = "0",
        ["DOTNET_GCgen0size"] = "10000000",
        // Where methods are, and nothing else.
        ["DOTNET_PerfMapEnabled"] = "3",
        ["OPENSSL_ia32cap"] = ":~0x20000000",
    };

    /// <summary>The instructions of one request.</summary>
    /// <param name="added">How many to add to it.</param>
    /// <exception cref="InvalidOperationException">
    /// The answer was not what it must be, or stepping was disturbed.
    /// </exception>
    /// <exception cref="NotPermittedException">Other processes may not be traced here.</exception>
    public Instructions Count(Kind kind, int added = 0)
    {
        var byAddress = new Dictionary<long, long>();
        Stepper.Step(_thread, () => Tell($"{kind} {added}"), at => byAddress[at] = byAddress.GetValueOrDefault(at) + 1);
        if (Read() is not Subject.Answered and var wrong) throw new InvalidOperationException(wrong);
        return new Instructions(byAddress.GroupBy(of => _places.NameOf(of.Key)).ToDictionary(of => of.Key, of => of.Sum(one => one.Value)));
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
