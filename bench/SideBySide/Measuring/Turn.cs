using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Gateway.SideBySide.Measuring;

/// <summary>
/// A file lock (flock(1)) that is held while something is measured, so that other measurements on this machine wait.
/// </summary>
internal sealed class Turn(string? file)
{
    /// <summary>Waits for the lock, in order of arrival. It is held until disposal.</summary>
    /// <exception cref="Win32Exception">The file cannot be opened.</exception>
    public async Task<IDisposable?> TakeAsync(CancellationToken stop)
    {
        if (file is null) return null;
        // A .NET stream does not wait for locks, but fails if the file is locked.
        var opened = new SafeFileHandle(
            Native.Open(file, Native.ReadWrite | Native.Create | Native.NotForChildren, Native.Readable),
            ownsHandle: true);
        if (opened.IsInvalid) throw new Win32Exception(Marshal.GetLastPInvokeError(), file);
        await Task.Run(() => Native.Lock(opened, Native.Exclusive), stop).WaitAsync(stop);
        return opened;
    }
}
