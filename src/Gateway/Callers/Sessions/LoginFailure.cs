using System.Net;
using System.Text.Json;
using Gateway.Callers.Tokens;
using Gateway.Outbound;
using Gateway.Problems;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>Classifies a failed login: what the person is told, and what the operator must change.</summary>
/// <param name="Problem">The answer. The provider's own words are only logged, because anyone can write them into the
/// address.</param>
/// <param name="Reason">The reason for the log.</param>
/// <param name="Advice">The options to check, for the log; empty if the configuration is not the cause.</param>
/// <param name="Defect">The exception if neither the provider nor the browser can cause it; otherwise null.</param>
internal sealed record LoginFailure(Problem Problem, string Reason, string Advice = "", Exception? Defect = null)
{
    private const string Key = "Authentication:Oidc";

    private static readonly Problem
        Failed = new(CallerProblems.LoginFailed, "The identity provider did not log you in."),
        Cancelled = new(CallerProblems.LoginCancelled, "The login was cancelled, or the identity provider denied it."),
        Expired = new(CallerProblems.LoginExpired,
            "The login took too long, was already used, or was begun in another browser."),
        Misconfigured = Challenge.Misconfigured;

    public static LoginFailure Of(Exception? failure) => failure switch
    {
        null => new(Failed, "the response has no message"),
        ProviderAnswerException { IsAway: true } away => new(Away(), away.Message),
        ProviderAnswerException answer => new(Misconfigured, answer.Message, answer.Advice),
        ProviderMismatchException mismatch => new(Misconfigured, mismatch.Message, mismatch.Advice),
        EgressProxyException or ProviderAwayException or OperationCanceledException => new(Away(), failure.Message),
        HttpRequestException => new(Away(), failure.GetBaseException().Message),
        IOException or UnauthorizedAccessException or InvalidDataException => new(Misconfigured,
            $"the secret or key of the client cannot be read: {failure.Message}",
            $"{Key}:ClientSecretFile and {Key}:ClientKeyFile"),
        OpenIdConnectProtocolInvalidNonceException => new(Failed, failure.Message),
        OpenIdConnectProtocolException protocol => OfProtocol(protocol),
        SecurityTokenException token => OfToken(token),
        AuthenticationFailureException { InnerException: { } inner } => Of(inner),
        AuthenticationFailureException => new(Expired, failure.Message),
        JsonException => new(Misconfigured, "the provider's answer is not JSON", $"{Key}:Authority"),
        _ => new(new Problem(ProblemType.InternalError, "The login failed within the gateway."),
            failure.Message, Defect: failure),
    };

    /// <summary>The failure of a login whose state names no login of this browser.</summary>
    public static LoginFailure Unknown => new(Expired, "the state is not one of this browser, or too old");

    /// <param name="reason">The reason for the log.</param>
    /// <param name="advice">The options to check.</param>
    public static LoginFailure OfConfiguration(string reason, string advice) => new(Misconfigured, reason, advice);

    private static Problem Away() => Challenge.For(Refusal.ProviderAway) with
    {
        Detail = "The identity provider cannot be reached, or does not work at present.",
    };

    private static LoginFailure OfProtocol(OpenIdConnectProtocolException failure)
    {
        if (failure.Data["error"] is string error) return OfError(error, failure.Data["error_description"] as string);
        return failure.Message.Contains("JSON", StringComparison.Ordinal)
            ? new(Misconfigured, failure.Message, $"{Key}:Authority") : new(Failed, failure.Message);
    }

    /// <summary>
    /// Classifies an error of RFC 6749, sections 4.1.2.1 and 5.2, or of OpenID Connect Core 1.0, section 3.1.2.6.
    /// </summary>
    /// <param name="error">The error code of the provider.</param>
    /// <param name="description">Its description, for the log.</param>
    public static LoginFailure OfError(string error, string? description)
    {
        // Anyone can write both into the address of the callback.
        var reason = $"the provider answered {LogText.Clean(error)}: {LogText.Clean(description ?? "")}";
        return error switch
        {
            "access_denied" => new(Cancelled, reason),
            "invalid_grant" => new(Expired, reason),
            "temporarily_unavailable" or "server_error" => new(Away(), reason),
            "invalid_client" => new(Misconfigured, reason,
                $"{Key}:ClientId, {Key}:ClientSecret or its file, and {Key}:ClientAuthentication"),
            "invalid_scope" => new(Misconfigured, reason, $"{Key}:Scopes"),
            "unauthorized_client" or "unsupported_response_type" or "unsupported_grant_type" => new(Misconfigured,
                reason, $"the client {Key}:ClientId at the provider, which must allow the authorization code flow"),
            "invalid_request" or "invalid_redirect_uri" or "invalid_target" or "invalid_request_object"
                or "request_not_supported" or "registration_not_supported" => new(Misconfigured, reason,
                $"the redirect address {Login.CallbackPath} at the provider, and ForwardedHeaders and PathBase here"),
            _ => new(Failed, reason),
        };
    }

    private static LoginFailure OfToken(SecurityTokenException failure) => failure switch
    {
        SecurityTokenExpiredException or SecurityTokenNotYetValidException or SecurityTokenInvalidLifetimeException =>
            new(Misconfigured, "the ID token is not valid at this time", "the clocks, and Authentication:ClockSkew"),
        SecurityTokenInvalidAudienceException =>
            new(Misconfigured, "the ID token is for another client", $"{Key}:ClientId"),
        SecurityTokenInvalidIssuerException =>
            new(Misconfigured, "the ID token was issued by another provider", $"{Key}:Authority"),
        // The provider was asked for its keys a moment ago, and may have another one since.
        SecurityTokenSignatureKeyNotFoundException => new(Away(), "the ID token is signed by an unknown key"),
        SecurityTokenInvalidAlgorithmException or SecurityTokenInvalidSignatureException => new(Misconfigured,
            "the ID token is not signed by a key of the provider with an algorithm that the gateway accepts",
            "the algorithm of ID tokens for the client at the provider: "
                + string.Join(", ", TokenVerifier.Algorithms)),
        _ => new(Misconfigured, "the ID token is not valid", $"{Key}:Authority"),
    };
}

/// <summary>
/// An answer of the identity provider that shows that it does not work, or not with this configuration.
/// </summary>
internal sealed class ProviderAnswerException(HttpStatusCode status, string what, string advice)
    : Exception($"the {what} answered {(int)status}")
{
    public bool IsAway =>
        (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout;

    public HttpStatusCode Status => status;

    public string Advice => advice;
}
