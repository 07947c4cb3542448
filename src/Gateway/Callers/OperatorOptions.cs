using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>Who may use <c>/admin</c>.</summary>
internal sealed class OperatorOptions
{
    /// <summary>Keys as a team has them; none may be a team's.</summary>
    public List<ApiKeyOptions> ApiKeys { get; set; } = [];

    public void Check(ConfigurationErrors errors, Dictionary<KeyHash, string> keyOf)
    {
        for (var i = 0; i < ApiKeys.Count; i++)
        {
            var path = $"Operators:ApiKeys:{i}";
            ApiKeys[i].Check(errors, path, keyOf);
            errors.Unless(ApiKeys[i].Quota.Length == 0, $"{path}:Quota", "counts requests for jobs, and operators make none");
        }
    }
}
