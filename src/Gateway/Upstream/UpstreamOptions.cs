using Gateway.Configuration;

namespace Gateway.Upstream;

/// <summary>Where jobs come from.</summary>
internal sealed class UpstreamOptions
{
    /// <summary>Absolute http or https address; a path, if any, is kept in front of the operation's.</summary>
    public Uri BaseAddress { get; set; } = new("https://api.pixxel.space");

    /// <summary>How long one fetch may take, retries and body included. Default 10 s; 100 ms to 5 min.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The upstream credentials, by a name that teams refer to.</summary>
    public Dictionary<string, AccountOptions> Accounts { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    public void Check(Mistakes mistakes, IEnumerable<string> accountsInUse)
    {
        mistakes.Unless(BaseAddress.IsAbsoluteUri && BaseAddress.Scheme is "http" or "https", "Upstream:BaseAddress",
            "must be an absolute http or https address");
        if (BaseAddress.IsAbsoluteUri)
        {
            mistakes.Unless(BaseAddress.Query.Length == 0 && BaseAddress.Fragment.Length == 0
                && BaseAddress.UserInfo.Length == 0, "Upstream:BaseAddress", "must not hold a query, fragment or user");
        }
        mistakes.Range("Upstream:Timeout", Timeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5));

        if (Accounts.Values.All(account => account.IsEmpty))
        {
            mistakes.Add("Upstream:Accounts:default:Credential", "no upstream credential is configured; set it "
                + "(environment: Upstream__Accounts__default__Credential), or set CredentialFile to a file that "
                + "holds it. To try the gateway without one, run the demo command");
            return;
        }
        var used = accountsInUse.ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, account) in Accounts) account.Check(mistakes, name, used.Contains(name));
    }
}

/// <summary>One upstream credential: the value of <c>Authorization</c>, verbatim, given here or in a file.</summary>
internal sealed class AccountOptions
{
    public string Credential { get; set; } = "";

    /// <summary>A file that holds the credential; it is read again when it changes.</summary>
    public string CredentialFile { get; set; } = "";

    public bool IsEmpty => Credential.Length == 0 && CredentialFile.Length == 0;

    public void Check(Mistakes mistakes, string name, bool used)
    {
        var key = $"Upstream:Accounts:{name}";
        mistakes.Name(key, name, "an account's");
        if (IsEmpty)
        {
            mistakes.Unless(!used, key, "a team uses this account, but it has neither Credential nor CredentialFile");
            return;
        }
        if (Credential.Length > 0 && CredentialFile.Length > 0)
        {
            mistakes.Add(key, "has both Credential and CredentialFile; set one");
        }
        else if (Credential.Length > 0)
        {
            mistakes.Unless(Upstream.Credential.TryParse(Credential, out _), $"{key}:Credential", Upstream.Credential.Form);
        }
        else if (!Upstream.Credential.TryReadFile(CredentialFile, out _, out var problem))
        {
            mistakes.Add($"{key}:CredentialFile", problem);
        }
    }
}
