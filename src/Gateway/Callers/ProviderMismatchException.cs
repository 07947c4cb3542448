namespace Gateway.Callers;

/// <summary>The provider and the gateway are not configured for each other.</summary>
/// <param name="message">What is wrong.</param>
/// <param name="advice">The options to check.</param>
internal sealed class ProviderMismatchException(string message, string advice) : Exception(message)
{
    public string Advice => advice;
}
