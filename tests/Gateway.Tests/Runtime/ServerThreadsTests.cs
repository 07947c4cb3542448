using Gateway.Runtime;

namespace Gateway.Tests.Runtime;

[Trait("Kind", "Unit")]
public sealed class ServerThreadsTests
{
    [Theory]
    [InlineData(64 * 1024, true)]
    [InlineData(64 * 1024 + 1, false)]
    public async Task Long_work_leaves_the_server_thread(int bytes, bool stays)
    {
        Task<bool>? staying = null;
        // This thread does not belong to the pool.
        var thread = new Thread(() => staying = StaysAsync(bytes));
        thread.Start();
        thread.Join();
        Assert.Equal(stays, await staying!);
    }

    private static async Task<bool> StaysAsync(int bytes)
    {
        var before = Environment.CurrentManagedThreadId;
        await ServerThreads.LeaveAsync(bytes);
        return Environment.CurrentManagedThreadId == before;
    }
}
