using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Gateway.SideBySide.Measuring;

/// <summary>
/// A file that is locked while something is measured, as flock(1) does, for others on this machine to wait for.
/// </summary>
internal sealed class Turn(string? file)
{
    /// <summary>Waits for the turn, behind those who came before; it lasts until it is disposed of.</summary>
    /// <exception cref="Win32Exception">The file cannot be opened.</exception>
    public async Task<IDisposable?> TakeAsync(CancellationToken stop)
    {
        if (file is null) return null;
        // A stream of .NET does not wait for locks, and is refused where there is one.
        var opened = new SafeFileHandle(Native.Open(file, Native.ReadWrite | Native.Create | Native.NotForChildren, Native.Readable), ownsHandle: true);
        if (opened.IsInvalid) throw new Win32Exception(Marshal.GetLastPInvokeError(), file);
        await Task.Run(() => Native.Lock(opened, Native.Exclusive), stop).WaitAsync(stop);
        return opened;
    }
}
