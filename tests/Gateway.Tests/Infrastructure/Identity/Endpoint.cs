namespace Gateway.Tests.Infrastructure.Identity;

/// <summary>The paths of the identity provider.</summary>
internal static class Endpoint
{
    public const string Discovery = "/.well-known/openid-configuration";
    public const string Keys = "/keys";
    public const string Authorization = "/authorize";
    public const string PushedAuthorization = "/par";
    public const string SignIn = "/sign-in";
    public const string Token = "/token";
    public const string UserInfo = "/userinfo";
    public const string EndSession = "/end-session";
}
