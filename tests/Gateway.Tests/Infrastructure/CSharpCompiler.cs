using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Gateway.Tests.Infrastructure;

/// <summary>Compiles generated clients together with programs that use them. Warnings are errors.</summary>
internal static class CSharpCompiler
{
    public static Assembly Compile(params IEnumerable<string> sources)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path));
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary,
            nullableContextOptions: NullableContextOptions.Enable,
            generalDiagnosticOption: ReportDiagnostic.Error, warningLevel: 9999);
        // Generated code depends on the symbols that the SDK defines for each target framework.
        var parsing = CSharpParseOptions.Default.WithPreprocessorSymbols(
            "NETCOREAPP3_1_OR_GREATER", "NET5_0_OR_GREATER", "NET8_0_OR_GREATER", "NET10_0_OR_GREATER");
        var compilation = CSharpCompilation.Create(
            "Consumer", sources.Select(source => CSharpSyntaxTree.ParseText(source, parsing)), references, options);
        using var stream = new MemoryStream();
        var result = compilation.Emit(stream);
        Assert.True(result.Success,
            string.Join('\n', result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)));
        return Assembly.Load(stream.ToArray());
    }
}
