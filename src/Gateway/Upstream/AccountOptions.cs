using Gateway.Configuration;

namespace Gateway.Upstream;

/// <summary>
/// One upstream credential (the verbatim value of <c>Authorization</c>, given here or in a file), its successor, and
/// the budget of all nodes together.
/// </summary>
internal sealed record AccountOptions
{
    public string Credential { get; set; } = "";

    /// <summary>A file that holds the credential. A node reads the file at each upstream call.</summary>
    public string CredentialFile { get; set; } = "";

    /// <summary>The credential to use when the upstream refuses the first one. Empty, the default: none.</summary>
    public string NextCredential { get; set; } = "";

    /// <summary>A file that holds the next credential. A node reads the file at each upstream call.</summary>
    public string NextCredentialFile { get; set; } = "";

    /// <summary>Calls a second on average. Default 10; 0.01 to 100,000.</summary>
    public double RequestsPerSecond { get; set; } = 10;

    /// <summary>Calls at once, after a pause. Default 20; 1 to 1 million.</summary>
    public int Burst { get; set; } = 20;

    /// <summary>Calls under way at a time. Default 32; 1 to 10,000.</summary>
    public int MaxConcurrentRequests { get; set; } = 32;

    /// <summary>
    /// How long a call may wait for a permit. Default 2 s; 100 ms to 1 min, and never over half of
    /// <c>Upstream:Timeout</c>.
    /// </summary>
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromSeconds(2);

    public bool IsEmpty => Credential.Length == 0 && CredentialFile.Length == 0;

    public bool HasNext => NextCredential.Length > 0 || NextCredentialFile.Length > 0;

    public void Check(ConfigurationErrors errors, string name, bool used)
    {
        var key = $"Upstream:Accounts:{name}";
        errors.Name(key, name, "an account's");
        errors.Range($"{key}:RequestsPerSecond", RequestsPerSecond, 0.01, 100_000);
        errors.Range($"{key}:Burst", Burst, 1, 1_000_000);
        errors.Range($"{key}:MaxConcurrentRequests", MaxConcurrentRequests, 1, 10_000);
        errors.Range($"{key}:QueueTimeout", QueueTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        if (IsEmpty)
        {
            errors.Unless(!used, key, "a team uses this account, but it has neither Credential nor CredentialFile");
            errors.Unless(!HasNext, key, "has a next credential, but neither Credential nor CredentialFile");
            return;
        }
        CheckOne(errors, key, "Credential", Credential, CredentialFile);
        if (HasNext) CheckOne(errors, key, "NextCredential", NextCredential, NextCredentialFile);
    }

    private static void CheckOne(ConfigurationErrors errors, string key, string option, string value, string file)
    {
        if (value.Length > 0 && file.Length > 0)
        {
            errors.Add(key, $"has both {option} and {option}File; set one");
        }
        else if (value.Length > 0)
        {
            errors.Unless(Upstream.Credential.TryParse(value, out _), $"{key}:{option}", Upstream.Credential.Form);
        }
        else if (!Upstream.Credential.TryReadFile(file, out _, out var problem))
        {
            errors.Add($"{key}:{option}File", problem);
        }
    }
}
