using System.Buffers;
using System.Text;

namespace Gateway.Watching;

/// <summary>Writes events in the format of the HTML standard (section 9.2, Server-sent events).</summary>
internal static class EventFormat
{
    /// <summary>A comment, which keeps proxies from closing a silent connection.</summary>
    public static ReadOnlySpan<byte> Heartbeat => ": \n\n"u8;

    /// <summary>Writes one event. Its fields are <c>event</c>, <c>id</c> and <c>data</c>.</summary>
    /// <param name="type">The event's type.</param>
    /// <param name="id">The id, without line breaks; null: the client keeps its last one.</param>
    /// <param name="data">UTF-8 text. Each of its lines becomes one <c>data</c> field.</param>
    public static void Write(IBufferWriter<byte> writer, string type, string? id, ReadOnlySpan<byte> data)
    {
        WriteData(writer, type, data);
        WriteEnd(writer, id);
    }

    /// <summary>Writes the type and the data of an event. <see cref="WriteEnd"/> must follow.</summary>
    public static void WriteData(IBufferWriter<byte> writer, string type, ReadOnlySpan<byte> data)
    {
        writer.Write("event: "u8);
        writer.Write(Encoding.UTF8.GetBytes(type));
        writer.Write("\n"u8);
        while (true)
        {
            var end = data.IndexOfAny((byte)'\n', (byte)'\r');
            writer.Write("data: "u8);
            writer.Write(end < 0 ? data : data[..end]);
            writer.Write("\n"u8);
            if (end < 0) break;
            var isPair = data[end] == '\r' && end + 1 < data.Length && data[end + 1] == '\n';
            data = data[(end + (isPair ? 2 : 1))..];
        }
    }

    /// <summary>Writes the id of an event, and ends the event.</summary>
    public static void WriteEnd(IBufferWriter<byte> writer, string? id)
    {
        if (id is not null)
        {
            writer.Write("id: "u8);
            writer.Write(Encoding.UTF8.GetBytes(id));
            writer.Write("\n"u8);
        }
        writer.Write("\n"u8);
    }

    /// <summary>Tells the client how long to wait before it connects again.</summary>
    public static void WriteRetry(IBufferWriter<byte> writer, TimeSpan time) =>
        writer.Write(Encoding.UTF8.GetBytes($"retry: {(long)time.TotalMilliseconds}\n\n"));
}
