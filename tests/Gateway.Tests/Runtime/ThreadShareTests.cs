using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.AspNetCore.Connections;

namespace Gateway.Tests.Runtime;

public sealed class ThreadShareTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_connection_with_endless_data_yields_its_thread_after_some_reads()
    {
        var (reader, writer) = await ConnectAsync(bytes: ThreadShare.MostInARow + 100);
        var read = 0;
        await OnThreadOfItsOwnAsync(async () =>
        {
            while (!Thread.CurrentThread.IsThreadPoolThread)
            {
                var result = await reader.ReadAsync(World.Cancellation);
                // As a server does: handle one request, then read again.
                reader.AdvanceTo(result.Buffer.GetPosition(1));
                read++;
            }
        });
        Assert.Equal(ThreadShare.MostInARow + 1, read);
        await writer.CompleteAsync();
    }

    [Fact]
    public async Task A_connection_that_alternates_with_another_one_keeps_its_thread()
    {
        var (one, _) = await ConnectAsync(bytes: 1000);
        var (other, _) = await ConnectAsync(bytes: 1000);
        await OnThreadOfItsOwnAsync(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                foreach (var reader in new[] { one, other })
                    reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
            }
            Assert.False(Thread.CurrentThread.IsThreadPoolThread);
        });
    }

    [Fact]
    public async Task A_read_is_bounded_and_grows_while_nothing_is_consumed()
    {
        const int Whole = 10 * ThreadShare.MostBytes;
        var (reader, _) = await ConnectAsync(bytes: ThreadShare.MostInARow + 1 + Whole);
        for (var i = 0; i <= ThreadShare.MostInARow; i++)
            reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
        var shown = new List<long>();
        while (shown.Count == 0 || shown[^1] < Whole)
        {
            var buffer = (await reader.ReadAsync(World.Cancellation).AsTask()
                .WaitAsync(Timeout, World.Cancellation)).Buffer;
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
    public async Task Pipelined_and_HTTP_2_data_is_read_in_small_pieces_with_a_yield_before_each(string beginning)
    {
        const int Pieces = 5;
        var (reader, _) = await ConnectAsync(bytes: Pieces * ThreadShare.MostBytes, beginning);
        await OnThreadOfItsOwnAsync(async () =>
        {
            for (var i = 0; i < Pieces; i++)
            {
                var buffer = (await reader.ReadAsync(World.Cancellation)).Buffer;
                Assert.Equal(ThreadShare.MostBytes, buffer.Length);
                // Only the first piece is handled on the thread that received the socket event.
                Assert.Equal(i > 0, Thread.CurrentThread.IsThreadPoolThread);
                reader.AdvanceTo(buffer.End);
            }
        });
    }

    [Fact]
    public async Task A_frame_cut_off_by_a_piece_does_not_enlarge_the_next_piece()
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
                // As a server does: handle all whole frames, and leave the rest.
                var whole = buffer.Length / Frame * Frame;
                read += whole;
                reader.AdvanceTo(buffer.GetPosition(whole), buffer.End);
            }
        });
    }

    [Fact]
    public async Task A_frame_larger_than_a_piece_is_read_on_the_thread_where_it_began()
    {
        const int Frame = 20 * ThreadShare.MostBytes;
        var (reader, _) = await ConnectAsync(bytes: Frame, "PRI * HTTP/2.0\r\n");
        await OnThreadOfItsOwnAsync(async () =>
        {
            ReadOnlySequence<byte> buffer;
            while ((buffer = (await reader.ReadAsync(World.Cancellation)).Buffer).Length < Frame)
                reader.AdvanceTo(buffer.Start, buffer.End);
            Assert.False(Thread.CurrentThread.IsThreadPoolThread);
        });
    }

    [Fact]
    public async Task The_end_of_a_connection_is_reported_after_all_its_data()
    {
        const int Rest = 3 * ThreadShare.MostBytes;
        var (reader, writer) = await ConnectAsync(bytes: ThreadShare.MostInARow + 1 + Rest);
        await writer.CompleteAsync();
        for (var i = 0; i <= ThreadShare.MostInARow; i++)
            reader.AdvanceTo((await reader.ReadAsync(World.Cancellation)).Buffer.GetPosition(1));
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

    // Returns the server's end of a connection that has received this many bytes.
    private static async Task<(PipeReader Reader, PipeWriter Writer)> ConnectAsync(int bytes, string beginning = "")
    {
        var requests = new Pipe(new PipeOptions(
            readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0,
            useSynchronizationContext: false));
        var connection = new DefaultConnectionContext { Transport = new Transport(requests.Reader) };
        await ThreadShare.BoundReads(_ => Task.CompletedTask)(connection);
        requests.Writer.Write(Encoding.ASCII.GetBytes(beginning.PadRight(bytes)));
        await requests.Writer.FlushAsync(World.Cancellation);
        return (connection.Transport.Input, requests.Writer);
    }

    // The thread does not belong to the pool, like a thread that receives socket events.
    private static async Task OnThreadOfItsOwnAsync(Func<Task> act)
    {
        var running = new TaskCompletionSource<Task>();
        new Thread(() => running.SetResult(act())).Start();
        await (await running.Task).WaitAsync(Timeout, World.Cancellation);
    }

    private sealed class Transport(PipeReader input) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output { get; } = new Pipe().Writer;
    }
}
