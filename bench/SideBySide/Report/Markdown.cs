using System.Globalization;
using System.Text;
using Gateway.SideBySide.Measuring;

namespace Gateway.SideBySide.Report;

/// <summary>Writes the tables in Markdown.</summary>
internal static class Markdown
{
    public const string Begin = "<!-- figures: written by bench/side-by-side -->", End = "<!-- end of figures -->";

    public static string Of(Arguments arguments, IReadOnlyList<(string What, string Which)> machine,
        IReadOnlyList<Table> tables)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"`bench/side-by-side {arguments.Line}`").AppendLine();
        foreach (var (what, which) in machine) text.AppendLine(CultureInfo.InvariantCulture, $"- {what}: {which}");
        foreach (var table in tables) Append(text, arguments, table);
        return text.ToString().TrimEnd();
    }

    /// <summary>Puts the text between the two markers of a file, or creates the file.</summary>
    public static async Task PutIntoAsync(string file, string markdown)
    {
        var whole = File.Exists(file) ? await File.ReadAllTextAsync(file) : $"{Begin}\n{End}\n";
        var (begin, end) = (whole.IndexOf(Begin, StringComparison.Ordinal),
            whole.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
            throw new InvalidOperationException($"{file} has no lines '{Begin}' and '{End}'.");
        await File.WriteAllTextAsync(file, $"{whole[..begin]}{Begin}\n\n{markdown}\n\n{whole[end..]}");
    }

    private static void Append(StringBuilder text, Arguments arguments, Table table)
    {
        var (reference, measures) = (table.ReferenceRow, table.Measures.ToArray());
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"### {table.Title}").AppendLine()
            .AppendLine(table.Text).AppendLine();
        text.Append("| |");
        foreach (var measure in measures)
        {
            text.Append(CultureInfo.InvariantCulture, $" {measure.Name} |");
            if (measure == table.Main)
                text.Append(reference is null ? " from – to |" : $" from – to | of {reference.Name} |");
        }
        text.AppendLine().Append("|---|").Insert(text.Length, "---:|", measures.Length + (reference is null ? 1 : 2))
            .AppendLine();
        foreach (var row in table.Rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {row.Name} |");
            foreach (var measure in measures)
            {
                text.Append(row.Has(measure) ? $" {Number(row.Median(measure), measure)} |" : " |");
                if (measure != table.Main) continue;
                text.Append(row.Has(measure)
                    ? $" {Number(row.Values(measure).Min(), measure)} – {Number(row.Values(measure).Max(), measure)} |"
                    : " |");
                if (reference is not null)
                    text.Append(row.Has(measure) ? Number(row.RatioTo(reference, measure)) : " |");
            }
            text.AppendLine();
        }
        text.AppendLine().AppendLine(table.Note ?? Rounds(arguments, table, reference));
    }

    private static string Rounds(Arguments arguments, Table table, Row? reference) =>
        $"Medians of {table.Rows[0].Samples.Count} interleaved "
        + $"rounds{(table.IsTimed ? $" of {arguments.Seconds} s" : "")}"
        + $"{(reference is null ? "" : "; ratios are of each round, and their median")}.";

    private static string Number(double ratio) => string.Create(CultureInfo.InvariantCulture, $" {ratio:0.00} |");

    private static string Number(double value, Measure measure) =>
        value.ToString(measure.Format, CultureInfo.InvariantCulture);
}
