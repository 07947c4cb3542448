using System.Runtime.InteropServices;

namespace Gateway.HitCost;

/// <summary>The system does not permit tracing other processes.</summary>
internal sealed class NotPermittedException(string message) : Exception(message);

/// <summary>
/// Follows a thread of a child process in user space, one instruction at a time (ptrace(2)). All calls must come from
/// one thread.
/// </summary>
internal static partial class Stepper
{
    /// <summary>The signal that marks the beginning and end of stepping. Without a tracer it has no effect.</summary>
    public const int Mark = 23;

    private const int Trap = 5, Child = 17;

    private const int PeekUser = 3, Continue = 7, SingleStep = 9, Detach = 17, Seize = 0x4206;

    // Offsets of the instruction pointer in ptrace's user area, and of the flags in glibc's struct sigaction.
    private const int InstructionPointer = 128, SignalFlags = 136, SignalAction = 152;

    private const int NoStopsOfChildren = 1, AnyThread = 0x40000000, NotPermitted = 1;

    /// <summary>
    /// Steps from the thread's next mark to the one after it. A repeated instruction, which copies or clears memory,
    /// counts once: the number of repetitions depends on the processor.
    /// </summary>
    /// <param name="thread">The system's id of the thread.</param>
    /// <param name="go">Makes the thread run to its mark. The thread must not be there yet.</param>
    /// <param name="visit">Called with the address of each instruction.</param>
    /// <exception cref="NotPermittedException">The system does not permit tracing other processes.</exception>
    public static void Step(int thread, Action go, Action<long> visit)
    {
        if (ptrace(Seize, thread, 0, 0) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            var message = $"ptrace: {Marshal.GetPInvokeErrorMessage(error)}";
            throw error == NotPermitted ? new NotPermittedException(message) : new InvalidOperationException(message);
        }
        IgnoreStops();
        go();
        RunToMark(thread);
        long before = 0;
        while (true)
        {
            Resume(SingleStep, thread, 0);
            var signal = WaitForStop(thread);
            if (signal == Mark) break;
            if (signal != Trap)
                throw new InvalidOperationException(
                    $"Signal {signal} interrupted the step; its handler would be counted.");
            var at = ptrace(PeekUser, thread, InstructionPointer, 0);
            if (at == before) continue;
            before = at;
            visit(at);
        }
        Resume(Detach, thread, 0);
    }

    // Signals before the mark belong to the runtime and are passed on.
    private static void RunToMark(int thread)
    {
        while (WaitForStop(thread) is not Mark and var signal) Resume(Continue, thread, signal);
    }

    private static int WaitForStop(int thread)
    {
        if (waitpid(thread, out var status, AnyThread) != thread)
            throw new InvalidOperationException("The thread cannot be waited for.");
        return (status & 0xff) == 0x7f ? status >> 8 & 0xff
            : throw new InvalidOperationException("The thread has ended.");
    }

    private static void Resume(int how, int thread, int signal)
    {
        if (ptrace(how, thread, 0, signal) != 0)
            throw new InvalidOperationException($"ptrace: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    // The system reports each stop to this process like the end of a child, and the runtime would check its children
    // each time.
    private static void IgnoreStops()
    {
        var action = new byte[SignalAction];
        if (sigaction(Child, null, action) != 0) return;
        action[SignalFlags] |= NoStopsOfChildren;
        _ = sigaction(Child, action, null);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint ptrace(long request, long thread, nint address, nint data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitpid(int thread, out int status, int options);

    [LibraryImport("libc")]
    private static partial int sigaction(int signal, byte[]? action, [In, Out] byte[]? before);
}
