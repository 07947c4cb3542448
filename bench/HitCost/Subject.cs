using System.Runtime.InteropServices;

namespace Gateway.HitCost;

/// <summary>
/// The measured process: a host, and one thread that sends it requests when it is told to. It is told by lines, <c>kind
/// added</c>: which request, and how many instructions to add to it. It says when it is ready, and of each answer
/// whether it is what it must be.
/// </summary>
internal static partial class Subject
{
    public const string Gateway = "gateway", Bare = "bare";

    /// <summary>Begins each line of its own; others are its log's.</summary>
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
        Measure(client, kind, () => (start, bytes) = (GC.GetAllocatedBytesForCurrentThread(), GC.GetAllocatedBytesForCurrentThread() - start));
        return bytes;
    }

    private static void Mark() => _ = raise(Stepper.Mark);

    private static void Measure(Client client, Kind kind, Action mark)
    {
        // Kestrel keeps the strings of headers that are as they were in the request before.
        client.Send(kind, () => { });
        TakeMemory();
        client.Send(kind, mark);
    }

    // A thread is given its memory by the piece. After one that holds nothing else, the request begins a new one, and
    // is not the one of several that has to ask for more.
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
