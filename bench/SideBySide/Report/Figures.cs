using System.Text.Json;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Report;

/// <summary>Writes all figures in a machine-readable form.</summary>
internal static class Figures
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static async Task WriteAsync(
        string file, Arguments arguments, IReadOnlyList<(string What, string Which)> machine,
        IReadOnlyList<Table> tables)
    {
        await using var to = File.Create(file);
        await JsonSerializer.SerializeAsync(to, new
        {
            arguments.Rounds,
            arguments.Seconds,
            Machine = machine.ToDictionary(line => line.What, line => line.Which),
            Scenarios = tables.Select(table => new
            {
                table.Name,
                table.Title,
                Main = table.Main.Name,
                table.Reference,
                Rows = table.Rows.Select(row => new
                {
                    row.Name,
                    Ratio = table.ReferenceRow is { } reference && row.Has(table.Main)
                        ? row.RatioTo(reference, table.Main) : (double?)null,
                    Runs = table.Measures.Where(row.Has)
                        .ToDictionary(measure => measure.Name, measure => row.Values(measure)),
                }),
            }),
        }, Options);
    }
}
