using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Callers.Tokens;
using Gateway.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Gateway.Callers.Sessions;

/// <summary>
/// Sets up ASP.NET Core's OpenID Connect handler: authorization code with PKCE, state and nonce, as a confidential
/// client (RFC 9700, section 2.1). A successful login becomes a session with the claims of the ID token and of the user
/// info. The gateway needs no access token and drops it.
/// </summary>
internal sealed partial class Login(
    IOptionsMonitor<AuthenticationOptions> options, ProviderOfSessions provider, SessionStore sessions, SessionIds ids,
    Audit audit, TimeProvider clock, ILogger<Login> logger)
    : IConfigureNamedOptions<OpenIdConnectOptions>
{
    public const string Scheme = "oidc", CallbackPath = "/bff/callback", LoggedOutPath = "/bff/logged-out";

    public const string CookiePrefix = "__Host-Http-gateway-";

    /// <summary>
    /// The request item with the order number of the login's callback, by which logouts are compared with it.
    /// </summary>
    public const string Began = "login-began";

    private const string UserInfo = "user-info";

    private OidcOptions Options => options.CurrentValue.Oidc;

    private TimeSpan ClockSkew => options.CurrentValue.ClockSkewInForce;

    public void Configure(OpenIdConnectOptions options) => Configure(Scheme, options);

    public void Configure(string? name, OpenIdConnectOptions options)
    {
        options.ConfigurationManager = provider.Configuration;
        options.ClientId = Options.ClientId;
        // The gateway signs in itself. If unset, the handler would be its own sign-in scheme and call itself for ever.
        options.SignInScheme = options.SignOutScheme = "none";
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.UsePkce = true;
        options.Scope.Clear();
        foreach (var scope in Options.ScopesInForce) options.Scope.Add(scope);
        options.CallbackPath = CallbackPath;
        options.SignedOutCallbackPath = LoggedOutPath;
        options.GetClaimsFromUserInfoEndpoint = true;
        options.MapInboundClaims = false;
        options.SaveTokens = false;
        options.DisableTelemetry = true;
        options.BackchannelTimeout = TimeSpan.FromSeconds(5);
        options.BackchannelHttpHandler = provider.Configuration.NewHandler();
        options.TokenHandler = new RollOver(provider.Configuration);
        options.TokenValidationParameters.ValidAlgorithms = TokenVerifier.Algorithms;
        options.TokenValidationParameters.LifetimeValidator =
            TokenVerifier.Lifetime(ClockSkew, clock);
        options.CorrelationCookie = LoginCookie("correlation");
        options.NonceCookie = LoginCookie("nonce");
        options.Events = new OpenIdConnectEvents
        {
            OnMessageReceived = CheckIssuer,
            OnAuthorizationCodeReceived = AddSecret,
            OnUserInformationReceived = KeepUserInfo,
            OnTokenValidated = KeepToken,
            OnTicketReceived = StartSessionAsync,
            OnRemoteFailure = TellAsync,
            OnPushAuthorization = AddSecret,
        };
    }

    // Lax, because the provider sends the browser back from another site.
    private static CookieBuilder LoginCookie(string what) => new()
    {
        Name = $"{CookiePrefix}{what}.",
        Path = "/",
        HttpOnly = true,
        IsEssential = true,
        SecurePolicy = CookieSecurePolicy.Always,
        SameSite = SameSiteMode.Lax,
    };

    // RFC 9207, section 2.4.
    private async Task CheckIssuer(MessageReceivedContext context)
    {
        var known = await provider.Configuration.GetConfigurationAsync(context.HttpContext.RequestAborted);
        var issuer = context.ProtocolMessage.Iss;
        if (string.IsNullOrEmpty(issuer) ? known.AuthorizationResponseIssParameterSupported : issuer != known.Issuer)
        {
            context.Fail("The response has the issuer of another provider, or none.");
        }
    }

    private Task AddSecret(AuthorizationCodeReceivedContext context)
    {
        context.TokenEndpointRequest!.ClientSecret = Options.ReadSecret();
        return Task.CompletedTask;
    }

    private Task AddSecret(PushedAuthorizationContext context)
    {
        context.ProtocolMessage.ClientSecret = Options.ReadSecret();
        return Task.CompletedTask;
    }

    private static Task KeepUserInfo(UserInformationReceivedContext context)
    {
        context.Properties!.SetParameter(UserInfo, context.User.RootElement.GetRawText());
        return Task.CompletedTask;
    }

    private static Task KeepToken(TokenValidatedContext context)
    {
        context.Properties!.SetParameter(OpenIdConnectParameterNames.IdToken,
            context.TokenEndpointResponse?.IdToken ?? context.ProtocolMessage.IdToken);
        return Task.CompletedTask;
    }

    private async Task StartSessionAsync(TicketReceivedContext context)
    {
        var token = context.Properties!.GetParameter<string>(OpenIdConnectParameterNames.IdToken)!;
        var claims = Claims(token, context.Properties.GetParameter<string>(UserInfo));
        var now = clock.GetUtcNow();
        var issuer = (await provider.Configuration.GetConfigurationAsync(context.HttpContext.RequestAborted)).Issuer;
        var began = (long)context.HttpContext.Items[Began]!;
        var session = new Session(issuer, claims, began, now + Options.AbsoluteLifetime);
        context.HandleResponse();
        var id = ids.New();
        var refusal = await sessions.StartAsync(id, session);
        if (refusal != Refusal.None)
        {
            var problem = refusal == Refusal.SessionsAway
                ? Challenge.For(refusal)
                : new Problem(CallerProblems.LoginFailed, "The identity provider has ended this login.");
            audit.Note(context.HttpContext, session.ClaimSet().Subject, Audit.Login, issuer, problem.Type.Slug);
            await problem.WriteAsync(context.HttpContext);
            return;
        }
        SessionCookie.Set(context.Response, id);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Redirect(context.ReturnUri!);
        audit.Note(context.HttpContext, session.ClaimSet().Subject, Audit.Login, issuer);
    }

    private async Task TellAsync(RemoteFailureContext context)
    {
        context.HandleResponse();
        var failure = context.Failure;
        // The handler passes on every exception. An exception that neither the provider nor the browser can cause is a
        // defect of the gateway, and is logged with its stack.
        var isAway = failure is ProviderAwayException or HttpRequestException or OperationCanceledException
            or IOException or UnauthorizedAccessException or { InnerException: HttpRequestException };
        var isDefect = !isAway && failure is not (null or AuthenticationFailureException or SecurityTokenException
            or OpenIdConnectProtocolException or JsonException);
        Log.Failed(logger, isDefect ? failure : null, failure?.Message);
        var problem = isDefect ? new Problem(ProblemType.InternalError, "The login failed within the gateway.")
            // A client secret that cannot be read is answered in the same way.
            : isAway ? Challenge.For(Refusal.ProviderAway)
            // The provider's error text is only logged: an attacker can write it into the address.
            : new Problem(CallerProblems.LoginFailed, "The identity provider did not log you in, or the login took too "
                + "long or was begun in another browser.");
        audit.Refuse(context.HttpContext, actor: null, Audit.Login, "session", problem.Type.Slug);
        await problem.WriteAsync(context.HttpContext);
    }

    // The user info adds claims, and never replaces those of the ID token (OpenID Connect Core 1.0, section 5.3).
    private static JsonElement Claims(string token, string? userInfo)
    {
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();
        var more = userInfo is null ? [] : JsonNode.Parse(userInfo)!.AsObject();
        foreach (var (name, value) in more) claims.TryAdd(name, value?.DeepClone());
        return JsonSerializer.SerializeToElement(claims);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "A login failed: {Problem}")]
        public static partial void Failed(ILogger logger, Exception? defect, string? problem);
    }
}
