using Gateway.Configuration;

namespace Gateway.Callers;

/// <summary>The operators, who may use <c>/admin</c>.</summary>
internal sealed class OperatorOptions
{
    /// <summary>The keys of operators. A key of a team cannot be an operator's key.</summary>
    public List<ApiKeyOptions> ApiKeys { get; set; } = [];

    public void Check(ConfigurationErrors errors, Dictionary<KeyHash, string> keyOf)
    {
        for (var i = 0; i < ApiKeys.Count; i++)
        {
            var path = $"Operators:ApiKeys:{i}";
            ApiKeys[i].Check(errors, path, keyOf);
            errors.Unless(ApiKeys[i].Quota.Length == 0, $"{path}:Quota",
                "must be empty, because operators may not read jobs");
        }
    }
}
