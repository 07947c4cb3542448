using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Gateway.SideBySide.Measuring;

/// <summary>System calls that .NET does not expose.</summary>
internal static partial class Native
{
    public const int Terminate = 15, Exclusive = 2, ReadWrite = 0x2, Create = 0x40, NotForChildren = 0x80000,
        Readable = 0x1A4;

    /// <summary>The processor time of a process including its ended threads (clock_getcpuclockid(3)).</summary>
    /// <returns>The time, or null if the process has ended.</returns>
    public static TimeSpan? CpuTimeOf(int process)
    {
        const int ScheduledTime = 2;
        return ClockGetTime((~process << 3) | ScheduledTime, out var time) == 0
            ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick)
            : null;
    }

    /// <summary>Sleeps as precisely as the kernel can, unlike a .NET timer.</summary>
    public static void Sleep(TimeSpan time)
    {
        if (time <= TimeSpan.Zero) return;
        var wanted = new Time
        {
            Seconds = (long)time.TotalSeconds,
            Nanoseconds = time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick
        };
        _ = NanoSleep(in wanted, IntPtr.Zero);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Lock(SafeFileHandle file, int how);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Open(string file, int how, int mode);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ClockGetTime(int clock, out Time time);

    [LibraryImport("libc", EntryPoint = "nanosleep", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int NanoSleep(in Time wanted, IntPtr left);

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
