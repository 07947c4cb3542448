using System.Globalization;
using System.Text;
using Gateway.SideBySide.Measuring;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Series;

namespace Gateway.SideBySide.Report;

/// <summary>Plots the cost of a request for each peer: one scenario below the other, each with its own scale.</summary>
internal static class Plot
{
    private const double Width = 760, BarHeight = 26, Frame = 74, Names = 190, Figures = 40;

    /// <exception cref="InvalidOperationException">There is nothing to plot.</exception>
    public static void Write(string file, IReadOnlyList<Table> tables)
    {
        var shown = tables.Where(table => table.Main == Measure.Cpu).ToArray();
        if (shown.Length == 0) throw new InvalidOperationException("No scenario of this run has figures to plot.");
        var (drawn, height) = (new StringBuilder(), 0.0);
        foreach (var table in shown)
        {
            var own = Frame + BarHeight * table.Rows.Count;
            var picture = new SvgExporter { Width = Width, Height = own }.ExportToString(Model(table));
            // The plot is a complete SVG file, and ids must be unique in the combined file.
            var unique = picture[picture.IndexOf("<svg", StringComparison.Ordinal)..]
                .Replace("id=\"clipPath", $"id=\"{table.Name}-", StringComparison.Ordinal)
                .Replace("#clipPath", $"#{table.Name}-", StringComparison.Ordinal);
            drawn.AppendLine(CultureInfo.InvariantCulture, $"""<g transform="translate(0,{height})">{unique}</g>""");
            height += own;
        }
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}">
            {drawn}</svg>

            """));
    }

    private static PlotModel Model(Table table)
    {
        var rows = table.Rows.Reverse().ToArray();
        var model = new PlotModel
        {
            Title = $"{table.Title}: CPU, µs a request",
            TitleFontSize = 13,
            Background = OxyColors.White,
            PlotMargins = new OxyThickness(Names, double.NaN, Figures, double.NaN),
        };
        var names = new CategoryAxis { Position = AxisPosition.Left, TickStyle = TickStyle.None };
        names.Labels.AddRange(rows.Select(row => row.Name));
        model.Axes.Add(names);
        model.Axes.Add(
            new LinearAxis
            {
                Position = AxisPosition.Bottom,
                Minimum = 0,
                Maximum = rows.Max(
                row => row.Median(Measure.Cpu)) * 1.1,
                MajorGridlineStyle = LineStyle.Dot,
                MinorTickSize = 0
            });
        var bars = new BarSeries
        {
            LabelPlacement = LabelPlacement.Outside,
            LabelMargin = 6,
            LabelFormatString = "{0:0.0}"
        };
        bars.Items.AddRange(
            rows.Select(
                row => new BarItem(row.Median(Measure.Cpu))
                {
                    Color = row.Name.StartsWith(
                    Lineup.Gateway, StringComparison.Ordinal) ? OxyColors.SteelBlue : OxyColors.LightGray
                }));
        model.Series.Add(bars);
        return model;
    }
}
