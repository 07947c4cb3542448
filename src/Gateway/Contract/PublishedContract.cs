using System.Security.Cryptography;
using System.Text;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.Swagger;

namespace Gateway.Contract;

/// <summary>One rendering of the contract.</summary>
/// <param name="Path">Its path, such as <c>/openapi/v0.json</c>.</param>
/// <param name="ETag">Strong ETag of the bytes, in quotes.</param>
internal sealed record ContractRendering(string Path, string ContentType, byte[] Bytes, string ETag);

/// <summary>The contract in each of its forms. The first request generates all of them once.</summary>
internal sealed class PublishedContract
{
    // RFC 9512 defines the media type of YAML.
    private static readonly (string Path, OpenApiSpecVersion Version, bool IsYaml)[] Forms =
    [
        ("/openapi/v0.json", OpenApiSpecVersion.OpenApi3_1, false),
        ("/openapi/v0.yaml", OpenApiSpecVersion.OpenApi3_1, true),
        ("/openapi/3.0/v0.json", OpenApiSpecVersion.OpenApi3_0, false),
        ("/openapi/3.0/v0.yaml", OpenApiSpecVersion.OpenApi3_0, true),
    ];

    // The library states the newest patch version, which older validators refuse. A patch version changes only the
    // wording of the specification. Every validator knows these two.
    private static readonly Dictionary<OpenApiSpecVersion, (string Stated, string Known)> Versions = new()
    {
        [OpenApiSpecVersion.OpenApi3_1] = ("3.1.2", "3.1.0"),
        [OpenApiSpecVersion.OpenApi3_0] = ("3.0.4", "3.0.3"),
    };

    private readonly IServiceProvider _services;
    private readonly Lazy<Task<ContractRendering[]>> _renderings;

    public PublishedContract(IServiceProvider services)
    {
        _services = services;
        // Rendering takes long. The first request may run on an I/O thread, which must not be blocked.
        _renderings = new(() => Task.Run(RenderAsync));
    }

    /// <summary>The paths of all renderings.</summary>
    public static IEnumerable<string> Paths => Forms.Select(form => form.Path);

    /// <summary>The rendering at one of <see cref="Paths"/>.</summary>
    public async Task<ContractRendering> GetAsync(string path) =>
        (await _renderings.Value).Single(rendering => rendering.Path == path);

    private async Task<ContractRendering[]> RenderAsync()
    {
        // The generator reads all XML documentation when it is created, so create it at the first request.
        var document = await _services.GetRequiredService<IAsyncSwaggerProvider>()
            .GetSwaggerAsync(ContractDocument.Version);
        var renderings = new List<ContractRendering>();
        foreach (var (path, version, isYaml) in Forms)
        {
            using var stream = new MemoryStream();
            if (isYaml) await document.SerializeAsYamlAsync(stream, version);
            else await document.SerializeAsJsonAsync(stream, version);
            var bytes = WithKnownVersion(stream.ToArray(), version);
            renderings.Add(new ContractRendering(path, isYaml ? "application/yaml" : "application/json", bytes,
                $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 16))}\""));
        }
        return [.. renderings];
    }

    // The version is the first field.
    private static byte[] WithKnownVersion(byte[] document, OpenApiSpecVersion version)
    {
        var (stated, known) = Versions[version];
        var at = document.AsSpan().IndexOf(Encoding.ASCII.GetBytes(stated));
        if (at is < 0 or > 32) throw new InvalidOperationException($"The document does not state version {stated}.");
        Encoding.ASCII.GetBytes(known, document.AsSpan(at));
        return document;
    }
}
