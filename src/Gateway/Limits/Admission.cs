namespace Gateway.Limits;

/// <summary>Step 4 of the request path: a permit of each quota that counts for a request, or of none.</summary>
internal static class Admission
{
    /// <summary>
    /// The same of what this node has at hand. It waits for nothing, and where it fails nothing has changed.
    /// </summary>
    public static bool TryTake(Quota[] quotas)
    {
        for (var taken = 0; taken < quotas.Length; taken++)
        {
            if (quotas[taken].TryTake()) continue;
            while (taken > 0) quotas[--taken].Return();
            return false;
        }
        return true;
    }

    /// <returns>The quotas that refuse it; empty: it is admitted.</returns>
    public static ValueTask<Quota[]> TakeAsync(Quota[] quotas)
    {
        if (quotas is not [var only]) return TakeAllAsync(quotas);
        var taking = only.TakeAsync();
        return taking.IsCompletedSuccessfully ? new(Refusing(only, taking.Result)) : WaitAsync(only, taking);

        static async ValueTask<Quota[]> WaitAsync(Quota quota, ValueTask<bool> taking) => Refusing(quota, await taking);

        static Quota[] Refusing(Quota quota, bool hasTaken) => hasTaken || !quota.Refuses ? [] : [quota];
    }

    private static async ValueTask<Quota[]> TakeAllAsync(Quota[] quotas)
    {
        var (taken, refused) = (new List<Quota>(), new List<Quota>());
        foreach (var quota in quotas) (await quota.TakeAsync() ? taken : refused).Add(quota);
        if (!refused.Any(quota => quota.Refuses)) return [];
        foreach (var quota in taken) quota.Return();
        return [.. refused.Where(quota => quota.Refuses)];
    }
}
