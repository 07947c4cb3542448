namespace Gateway.Limits;

/// <summary>Step 4 of the request path: takes a permit from each quota that applies, or from none.</summary>
internal static class Admission
{
    /// <summary>Takes the permits if this node holds them all, without waiting. Otherwise takes none.</summary>
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

    /// <returns>The quotas that refuse the request; empty if it is admitted.</returns>
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
