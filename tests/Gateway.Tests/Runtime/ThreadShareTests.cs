using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Tests.Runtime;

public sealed class ThreadShareTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_connection_that_always_has_more_leaves_the_thread_after_some_reads()
    {
        var (reader, writer) = await ConnectAsync(bytes: ThreadShare.MostInARow + 100);
        var read = 0;
        await OnThreadOfItsOwnAsync(async () =>
        {
            while (!Thread.CurrentThread.IsThreadPoolThread)
            {
                var result = await reader.ReadAsync(World.Cancellation);
                // As a server does: one request, and then the next read.
                reader.AdvanceTo(result.Buffer.GetPosition(1));
                read++;
            }
        });
        Assert.Equal(ThreadShare.MostInARow + 1, read);
        await writer.CompleteAsync();
    }

    [Fact]
    public async Task A_connection_that_takes_turns_with_another_one_stays()
    {
        var (one, _) = await ConnectAsync(bytes: 1000);
        var (other, _) = await ConnectAsync(bytes: 1000);
        await OnThreadOfItsOwnAsync(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                foreach (var reader in new[] { one, other }) reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
            }
            Assert.False(Thread.CurrentThread.IsThreadPoolThread);
        });
    }

    [Fact]
    public async Task What_is_read_at_once_is_bounded_and_what_needs_more_is_shown_more()
    {
        const int Whole = 10 * ThreadShare.MostBytes;
        var (reader, _) = await ConnectAsync(bytes: ThreadShare.MostInARow + 1 + Whole);
        for (var i = 0; i <= ThreadShare.MostInARow; i++) reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
        var shown = new List<long>();
        while (shown.Count == 0 || shown[^1] < Whole)
        {
            var buffer = (await reader.ReadAsync(World.Cancellation).AsTask().WaitAsync(Patience, World.Cancellation)).Buffer;
            shown.Add(buffer.Length);
            reader.AdvanceTo(buffer.Start, buffer.End);
        }
        Assert.Equal(ThreadShare.MostBytes, shown[0]);
        Assert.Equal(shown.Order().Distinct(), shown);
        Assert.InRange(shown.Count, 2, 8);
    }

    [Theory]
    [InlineData("PRI * HTTP/2.0\r\n")]
    [InlineData("\u0016\u0003\u0001")]
    public async Task What_may_hold_many_requests_is_read_in_small_pieces_and_each_comes_after_others(string beginning)
    {
        const int Pieces = 5;
        var (reader, _) = await ConnectAsync(bytes: Pieces * ThreadShare.MostBytes, beginning);
        await OnThreadOfItsOwnAsync(async () =>
        {
            for (var i = 0; i < Pieces; i++)
            {
                var buffer = (await reader.ReadAsync(World.Cancellation)).Buffer;
                Assert.Equal(ThreadShare.MostBytes, buffer.Length);
                // Only the first is handled by the thread that heard of it.
                Assert.Equal(i > 0, Thread.CurrentThread.IsThreadPoolThread);
                reader.AdvanceTo(buffer.End);
            }
        });
    }

    [Fact]
    public async Task A_frame_that_a_piece_cuts_off_makes_the_next_piece_no_larger()
    {
        const int Frame = 17, Pieces = 20;
        var (reader, _) = await ConnectAsync(bytes: Pieces * ThreadShare.MostBytes, "PRI * HTTP/2.0\r\n");
        await OnThreadOfItsOwnAsync(async () =>
        {
            for (long read = 0; read < (Pieces - 1) * ThreadShare.MostBytes;)
            {
                var buffer = (await reader.ReadAsync(World.Cancellation)).Buffer;
                Assert.InRange(buffer.Length, Frame, ThreadShare.MostBytes);
                Assert.Equal(read > 0, Thread.CurrentThread.IsThreadPoolThread);
                // As a server does: all whole frames are handled, and the rest is left.
                var whole = buffer.Length / Frame * Frame;
                read += whole;
                reader.AdvanceTo(buffer.GetPosition(whole), buffer.End);
            }
        });
    }

    [Fact]
    public async Task A_frame_that_is_larger_than_a_piece_is_read_where_it_began()
    {
        const int Frame = 20 * ThreadShare.MostBytes;
        var (reader, _) = await ConnectAsync(bytes: Frame, "PRI * HTTP/2.0\r\n");
        await OnThreadOfItsOwnAsync(async () =>
        {
            ReadOnlySequence<byte> buffer;
            while ((buffer = (await reader.ReadAsync(World.Cancellation)).Buffer).Length < Frame) reader.AdvanceTo(buffer.Start, buffer.End);
            Assert.False(Thread.CurrentThread.IsThreadPoolThread);
        });
    }

    [Fact]
    public async Task The_end_of_a_connection_is_seen_after_all_that_came_before()
    {
        const int Rest = 3 * ThreadShare.MostBytes;
        var (reader, writer) = await ConnectAsync(bytes: ThreadShare.MostInARow + 1 + Rest);
        await writer.CompleteAsync();
        for (var i = 0; i <= ThreadShare.MostInARow; i++) reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
        long seen = 0;
        ReadResult result;
        do
        {
            result = await reader.ReadAsync(World.Cancellation);
            seen += result.Buffer.Length;
            reader.AdvanceTo(result.Buffer.End);
        }
        while (!result.IsCompleted);
        Assert.Equal(Rest, seen);
    }

    // The server's end of a connection on which so many bytes have come.
    private static async Task<(PipeReader Reader, PipeWriter Writer)> ConnectAsync(int bytes, string beginning = "")
    {
        var requests = new Pipe(new PipeOptions(
            readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false));
        var connection = new DefaultConnectionContext { Transport = new Transport(requests.Reader) };
        await ThreadShare.BoundReads(_ => Task.CompletedTask)(connection);
        requests.Writer.Write(Encoding.ASCII.GetBytes(beginning.PadRight(bytes)));
        await requests.Writer.FlushAsync(World.Cancellation);
        return (connection.Transport.Input, requests.Writer);
    }

    // It stands for one that hears of sockets: the pool does not have it.
    private static async Task OnThreadOfItsOwnAsync(Func<Task> act)
    {
        var running = new TaskCompletionSource<Task>();
        new Thread(() => running.SetResult(act())).Start();
        await (await running.Task).WaitAsync(Patience, World.Cancellation);
    }

    private sealed class Transport(PipeReader input) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output { get; } = new Pipe().Writer;
    }
}
