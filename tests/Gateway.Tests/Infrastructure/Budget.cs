namespace Gateway.Tests.Infrastructure;

/// <summary>Compares the calls that an upstream received with an account's budget.</summary>
internal static class Budget
{
    /// <summary>The largest number of calls by which any window exceeded the budget.</summary>
    public static double Excess(World world, double perSecond, int burst)
    {
        var calls = world.Upstream.Ledger.Calls.Select(call => call.At).Order().ToArray();
        var most = double.MinValue;
        for (var from = 0; from < calls.Length; from++)
        {
            for (var to = from; to < calls.Length; to++)
            {
                most = Math.Max(most, to - from + 1 - burst - perSecond * (calls[to] - calls[from]).TotalSeconds);
            }
        }
        return most;
    }
}
