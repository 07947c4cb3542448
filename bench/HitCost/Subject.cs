using System.Runtime.InteropServices;

namespace Gateway.HitCost;

/// <summary>
/// The measured process: a host, and a thread that sends it requests on command. A command is a line <c>kind
/// added</c>: the kind of request, and the number of instructions to add. The process prints when it is ready, and for
/// each answer whether it was correct.
/// </summary>
internal static partial class Subject
{
    public const string Gateway = "gateway", Bare = "bare";

    /// <summary>The prefix of the process's own lines; other lines come from the log.</summary>
    public const string Prefix = "> ";

    public const string Ready = "ready", Answered = "answered";

    private const int WarmUp = 50;

    public static async Task<int> RunAsync(string name)
    {
        await (name == Gateway ? Hosts.StartGatewayAsync() : Hosts.StartBareAsync());
        var exit = 0;
        var thread = new Thread(() => exit = Drive(isGateway: name == Gateway));
        thread.Start();
        thread.Join();
        return exit;
    }

    private static int Drive(bool isGateway)
    {
        try
        {
            var client = new Client(isGateway);
            for (var i = 0; i < WarmUp; i++)
            {
                foreach (var kind in Enum.GetValues<Kind>()) client.Send(kind, () => { });
            }
            Measured.Clock.Stop();
            var bytes = Enum.GetValues<Kind>().Select(kind => BytesOf(client, kind));
            Say($"{Ready} {gettid()} {string.Join(' ', bytes)}");
            while (Console.ReadLine()?.Split(' ') is [var kind, var added])
            {
                Measured.Add(int.Parse(added, null));
                Measure(client, Enum.Parse<Kind>(kind), Mark);
                Say(Answered);
            }
            return 0;
        }
        catch (InvalidOperationException e)
        {
            Say(e.Message);
            return 1;
        }
    }

    private static long BytesOf(Client client, Kind kind)
    {
        long start = 0, bytes = 0;
        Measure(client, kind, () =>
            (start, bytes) = (GC.GetAllocatedBytesForCurrentThread(), GC.GetAllocatedBytesForCurrentThread() - start));
        return bytes;
    }

    private static void Mark() => _ = raise(Stepper.Mark);

    private static void Measure(Client client, Kind kind, Action mark)
    {
        // Kestrel reuses header strings that are equal to those of the previous request.
        client.Send(kind, () => { });
        TakeMemory();
        client.Send(kind, mark);
    }

    // A thread gets heap memory in chunks. A large allocation makes the next request start a new chunk, so that the
    // request does not need another one midway.
    private static void TakeMemory()
    {
        GC.KeepAlive(new byte[80_000]);
        GC.KeepAlive(new object());
    }

    private static void Say(string line)
    {
        Console.WriteLine(Prefix + line.ReplaceLineEndings(" "));
        Console.Out.Flush();
    }

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc")]
    private static partial int raise(int signal);
}
