using System.Text.Json;
using Gateway.Contract;
using Gateway.Drift;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Drift;

[Trait("Kind", "Unit")]
public sealed class ExpectedShapeTests
{
    [Fact]
    public void The_expected_shape_equals_the_published_schema()
    {
        using var document = JsonDocument.Parse(
            File.ReadAllText(Path.Combine(Repository.Root, "docs", "openapi.json")));
        var schemas = document.RootElement.GetProperty("components").GetProperty("schemas");
        var compared = 0;
        Compare("Job", ExpectedShape.OfJob, schemas.GetProperty("Job"));
        Assert.True(compared > 50, $"{compared}");

        void Compare(string path, ExpectedShape expected, JsonElement schema)
        {
            compared++;
            if (schema.TryGetProperty("$ref", out var reference))
            {
                schema = schemas.GetProperty(reference.GetString()!.Split('/')[^1]);
            }
            Assert.True(TypeOf(expected.Type) == TypeOf(schema), path);
            if (expected.Items is not null) Compare(path + "/*", expected.Items, schema.GetProperty("items"));
            if (expected.Fields is null) return;
            var properties = schema.GetProperty("properties").EnumerateObject()
                .ToDictionary(property => property.Name, property => property.Value);
            Assert.Equal(properties.Keys.Order(), expected.Fields.Keys.Order());
            foreach (var (name, field) in expected.Fields) Compare($"{path}/{name}", field.Shape, properties[name]);
        }
    }

    [Fact]
    public void A_shape_of_an_unsupported_type_throws()
    {
        Assert.Throws<NotSupportedException>(() => ExpectedShape.Of(typeof(bool)));
        Assert.Throws<NotSupportedException>(() => ExpectedShape.Of(typeof(Dictionary<string, string>)));
        Assert.Throws<NotSupportedException>(() => ExpectedShape.Of(typeof(ContractRendering)));
    }

    private static string TypeOf(ExpectedType type) => type switch
    {
        ExpectedType.Any => "",
        ExpectedType.Text => "string",
        _ => type.ToString().ToLowerInvariant(),
    };

    private static string TypeOf(JsonElement schema) => !schema.TryGetProperty("type", out var type) ? ""
        : type.ValueKind == JsonValueKind.String ? type.GetString()!
        : type.EnumerateArray().Select(one => one.GetString()!).Single(one => one != "null");
}
