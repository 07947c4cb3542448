using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Gateway.Contract.Republished;
using Gateway.Tests.Infrastructure;
using SharpYaml;

namespace Gateway.Tests.Contract;

/// <summary>Tests the reading of YAML, and of documents in other encodings.</summary>
[Trait("Kind", "Unit")]
public sealed class UpstreamDocumentTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("a: {b: [1, x], c: }", """{"a":{"b":[1,"x"],"c":null}}""")]
    [InlineData("[null, Null, NULL, ~, 'null', \"~\", nUll]", """[null,null,null,null,"null","~","nUll"]""")]
    [InlineData("[true, False, TRUE, yes, on, 'true']", """[true,false,true,"yes","on","true"]""")]
    [InlineData("[1, -2, +3, 1.50, 1e3, .5, 007, '1']", """[1,-2,3,1.50,1000,0.5,7,"1"]""")]
    [InlineData("[0x10, 0o7, .inf, .NaN, 1_000, 2026-01-31, 3.1.0]",
        """["0x10","0o7",".inf",".NaN","1_000","2026-01-31","3.1.0"]""")]
    [InlineData("[!!str 1, !!str true, !!int 1]", """["1","true",1]""")]
    [InlineData("a: |\n  one\n  two\nb: >\n  one\n  two\n", """{"a":"one\ntwo\n","b":"one two\n"}""")]
    [InlineData("200: x\ntrue: y\n~: z", """{"200":"x","true":"y","~":"z"}""")]
    [InlineData("a: \"\\u0001\\n\\u00e9\\\"<\"", """{"a":"\u0001\n\u00e9\"<"}""")]
    [InlineData("a: &x {b: 1}\nc: *x\nd: [*x, *x]", """{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}""")]
    [InlineData("a: [0, &x 1, &y [*x]]\nb: *y\nc: &x 2\nd: [*x, *y]",
        """{"a":[0,1,[1]],"b":[1],"c":2,"d":[2,[1]]}""")]
    [InlineData("%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n", """{"a":1}""")]
    [InlineData("# nothing\n", "null")]
    [InlineData("", "null")]
    public void YAML_is_written_as_JSON(string yaml, string json) =>
        Assert.Equal(JsonNode.Parse(json)?.ToJsonString(), Json(yaml)?.ToJsonString());

    [Fact]
    public void A_document_that_another_library_wrote_is_read_as_the_same_data()
    {
        var document = LargeUpstream.Document("3.1.0");
        Assert.Equal(document.ToJsonString(), Json(Yaml.Write(document))!.ToJsonString());
    }

    [Theory]
    [InlineData("a: *x", "there is no '&x' before '*x'")]
    [InlineData("a: &x [*x]", "there is no '&x' before '*x'")]
    [InlineData("? [a]\n: b", "a name must be a text")]
    [InlineData("a: [", "")]
    public void A_text_that_is_no_JSON_is_refused_with_its_position(string yaml, string why)
    {
        var thrown = Assert.ThrowsAny<YamlException>(() => Json(yaml));
        Assert.Contains(why, thrown.Message, StringComparison.Ordinal);
        Assert.Contains("Lin: ", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Aliases_that_grow_exponentially_are_refused()
    {
        var yaml = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 12; i++)
        {
            yaml.Append(CultureInfo.InvariantCulture,
                $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        }
        var before = GC.GetTotalAllocatedBytes();
        Assert.Contains("its aliases (*) repeat more than 32 MiB",
            Assert.Throws<YamlException>(() => Json(yaml.ToString())).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 500_000_000);
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public void A_document_that_is_nested_too_deeply_is_refused(char open, char close)
    {
        var inner = open == '[' ? "" : "\"a\":";
        var text = $"{{\"openapi\":\"3.1.0\",\"paths\":{{}},\"x\":{string.Concat(Enumerable.Repeat($"{open}{inner}",
            100_000))}1{new string(close, 100_000)}}}";
        File.WriteAllText(_file, text);
        Assert.Contains("neither JSON nor YAML that can be read",
            Assert.Throws<RepublishingException>(() => UpstreamDocument.Read(_file)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Encodings => ["utf-8", "utf-16", "utf-16BE", "utf-32"];

    [Theory]
    [MemberData(nameof(Encodings))]
    public void A_document_may_begin_with_a_byte_order_mark(string encoding)
    {
        foreach (var text in (string[])["{\"openapi\":\"3.2.0\",\"paths\":{}}", "openapi: 3.2.0\npaths: {}"])
        {
            File.WriteAllText(_file, text, Encoding.GetEncoding(encoding));
            Assert.Equal("3.2.0", UpstreamDocument.Read(_file).Version);
        }
    }

    [Fact]
    public void A_document_in_another_encoding_than_UTF_8_has_replacement_characters()
    {
        const string Text = """{"openapi":"3.1.0","paths":{},"tags":[{"name":"t","description":"caf\u00e9"}]}""";
        File.WriteAllText(_file, Text.Replace("\\u00e9", "\u00e9", StringComparison.Ordinal), Encoding.Latin1);
        Assert.Equal("caf\ufffd", UpstreamDocument.Read(_file).DescriptionOf("t"));
    }

    private static JsonNode? Json(string yaml) => JsonNode.Parse(YamlText.ToJson(yaml).Span);
}
