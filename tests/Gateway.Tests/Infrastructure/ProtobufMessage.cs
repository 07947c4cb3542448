using System.Buffers.Binary;
using System.Text;

namespace Gateway.Tests.Infrastructure;

/// <summary>
/// A message in the wire format of Protocol Buffers, read without its schema: values by field number.
/// </summary>
internal sealed class ProtobufMessage
{
    private readonly List<(int Field, byte[] Bytes)> _fields = [];

    public ProtobufMessage(byte[] bytes)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var tag = Varint(bytes, ref at);
            var field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    var number = new byte[8];
                    BinaryPrimitives.WriteUInt64LittleEndian(number, Varint(bytes, ref at));
                    _fields.Add((field, number));
                    break;
                case 1:
                    _fields.Add((field, bytes[at..(at += 8)]));
                    break;
                case 2:
                    var length = (int)Varint(bytes, ref at);
                    _fields.Add((field, bytes[at..(at += length)]));
                    break;
                case 5:
                    _fields.Add((field, bytes[at..(at += 4)]));
                    break;
                default:
                    throw new FormatException($"The wire type {tag & 7} is not known.");
            }
        }
    }

    /// <summary>The messages of a repeated field, found along a path of fields.</summary>
    public IEnumerable<ProtobufMessage> All(params int[] path) => path is [var field, .. var rest]
        ? _fields.Where(one => one.Field == field).SelectMany(one => new ProtobufMessage(one.Bytes).All(rest)) : [this];

    public byte[] Bytes(int field) =>
        _fields.Where(one => one.Field == field).Select(one => one.Bytes).LastOrDefault() ?? [];

    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

    public string Hex(int field) => Convert.ToHexStringLower(Bytes(field));

    private static ulong Varint(byte[] bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = bytes[at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80) return value;
        }
    }
}
