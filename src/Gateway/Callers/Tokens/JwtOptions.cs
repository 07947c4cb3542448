using Gateway.Configuration;

namespace Gateway.Callers.Tokens;

/// <summary>
/// JSON Web Tokens as bearer tokens (RFC 9068), of one OpenID Connect provider or of several. Empty: no JWTs.
/// </summary>
internal sealed class JwtOptions : JwtProviderOptions
{
    private const string Section = "Authentication:Jwt";

    /// <summary>
    /// The former name of <see cref="AuthenticationOptions.ClockSkew"/>, which it replaces if it is set. Default null.
    /// </summary>
    public TimeSpan? ClockSkew { get; set; }

    /// <summary>Further providers, by a name that only the configuration uses. Default empty.</summary>
    public Dictionary<string, JwtProviderOptions> Others { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>All providers, with their sections.</summary>
    public IEnumerable<(string Key, JwtProviderOptions Options)> Providers =>
        Others.Select(other => ($"{Section}:Others:{other.Key}", other.Value))
            .Prepend((Section, this)).Where(provider => provider.Item2.Authority.Length > 0);

    public bool IsConfigured => Providers.Any();

    /// <summary>Whether a change of a setting of another provider needs no restart.</summary>
    public static bool IsReadAlways(string key) =>
        key.StartsWith($"{Section}:Others:", StringComparison.OrdinalIgnoreCase)
        && key.EndsWith($":{nameof(CertificateAuthority)}", StringComparison.OrdinalIgnoreCase);

    public void Check(ConfigurationErrors errors)
    {
        if (ClockSkew is { } skew)
        {
            errors.Range($"{Section}:ClockSkew", skew, TimeSpan.Zero, AuthenticationOptions.LargestClockSkew);
        }
        Check(errors, Section, isRequired: false);
        foreach (var (name, other) in Others)
        {
            errors.Name($"{Section}:Others:{name}", name, "a provider's");
            other.Check(errors, $"{Section}:Others:{name}", isRequired: true);
        }
        // A token is verified by the one provider that its issuer names.
        var keyOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, provider) in Providers)
        {
            var issuer = AuthenticationOptions.IssuerOf(provider.Authority);
            if (!keyOf.TryAdd(issuer, key)) errors.Add($"{key}:Authority", $"is the issuer of {keyOf[issuer]}, too");
        }
    }
}
