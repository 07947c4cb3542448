using System.Collections;
using System.Text;
using System.Text.Json;
using CsCheck;
using Gateway.Configuration;
using Gateway.Limits;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Configuration;

[Trait("Kind", "Unit")]
public sealed class LiveConfigurationTests
{
    private static readonly string Hash = new('a', 64);

    [Theory]
    [InlineData("Jobs:RuningLifetime", "00:00:01",
        "Jobs:RuningLifetime: is not an option that takes a value; did you mean RunningLifetime?")]
    [InlineData("Teams:a:ApiKey:0:Id", "a",
        "Teams:a:ApiKey:0:Id: is not an option that takes a value; did you mean ApiKeys?")]
    [InlineData("Upstream:Accounts:default:Credentials", "a-credential",
        "Upstream:Accounts:default:Credentials: is not an option that takes a value; did you mean Credential?")]
    [InlineData("Jobs:RunningLifetime", "soon", "Jobs:RunningLifetime: cannot be converted to")]
    [InlineData("Jobs:RunningLifetime", "10", "Jobs:RunningLifetime: must be from 00:00:00 to 01:00:00")]
    [InlineData("Jobs:MaxBodyBytes", "much", "Jobs:MaxBodyBytes: cannot be converted to")]
    [InlineData("Jobs:VerifyIds", "maybe", "Jobs:VerifyIds: cannot be converted to")]
    [InlineData("Jobs:VerifyIds:Really", "true", "Jobs:VerifyIds:Really: is not an option that takes a value")]
    [InlineData("Teams:a:ApiKeys:0:ExpiresAt:Year", "2027",
        "Teams:a:ApiKeys:0:ExpiresAt:Year: is not an option that takes a value")]
    [InlineData("Authentication:Oidc:ClientSecret:File", "x",
        "Authentication:Oidc:ClientSecret:File: is not an option that takes a value")]
    [InlineData("Upstream:BaseAddress:Host", "x", "Upstream:BaseAddress:Host: is not an option that takes a value")]
    [InlineData("Upstream:BaseAddress", "ftp://x", "Upstream:BaseAddress: must be an absolute http or https address")]
    [InlineData("Upstream:BaseAddress", "https://user:secret@x", "Upstream:BaseAddress: must not hold")]
    [InlineData("Upstream:Accounts:default:Credential", "",
        "Upstream:Accounts:default:Credential: no upstream credential is configured")]
    [InlineData("Upstream:Accounts:default:Credential", "short",
        "Upstream:Accounts:default:Credential: a credential is")]
    [InlineData("Upstream:Accounts:default:CredentialFile", "/nowhere", "Upstream:Accounts:default: has both")]
    [InlineData("Upstream:Accounts:other:CredentialFile", "/nowhere",
        "Upstream:Accounts:other:CredentialFile: the file cannot be read")]
    [InlineData("Upstream:Accounts:default:NextCredential", "short",
        "Upstream:Accounts:default:NextCredential: a credential is")]
    [InlineData("Upstream:Accounts:default:NextCredentialFile", "/nowhere",
        "Upstream:Accounts:default:NextCredentialFile: the file cannot be read")]
    [InlineData("Upstream:Accounts:other:NextCredential", "a-credential",
        "Upstream:Accounts:other: has a next credential, but neither")]
    [InlineData("Upstream:Accounts:default:RequestsPerSecond", "0",
        "Upstream:Accounts:default:RequestsPerSecond: must be from 0.01")]
    [InlineData("Upstream:Accounts:default:RequestsPerSecond", "NaN",
        "Upstream:Accounts:default:RequestsPerSecond: must be from 0.01")]
    [InlineData("Upstream:Accounts:default:RequestsPerSecond", "fast",
        "Upstream:Accounts:default:RequestsPerSecond: cannot be converted to")]
    [InlineData("Upstream:Accounts:default:Burst", "0", "Upstream:Accounts:default:Burst: must be from 1")]
    [InlineData("Upstream:Accounts:default:MaxConcurrentRequests", "0",
        "Upstream:Accounts:default:MaxConcurrentRequests: must be from 1")]
    [InlineData("Upstream:Accounts:default:QueueTimeout", "00:00:00",
        "Upstream:Accounts:default:QueueTimeout: must be from 00:00:00.1")]
    [InlineData("Contract:ServerUrl", "/gateway", "Contract:ServerUrl: must be an absolute http or https address")]
    [InlineData("Contract:ServerUrl", "https://jobs.example.com/",
        "Contract:ServerUrl: must be an absolute http or https address")]
    [InlineData("Contract:ContactUrl", "ask me", "Contract:ContactUrl: must be an http, https or mailto address")]
    [InlineData("Contract:ContactName", "", "Contract:ContactName: must not be empty")]
    [InlineData("Routes:r:Path", "v0/scenes", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/scenes/", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/{**all}", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/{id:int}", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/{id?}", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/{}", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/x{id}", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/../admin", "Routes:r:Path: must be a path such as")]
    [InlineData("Routes:r:Path", "/v0/{a}/{A}", "Routes:r:Path: names a parameter twice")]
    [InlineData("Routes:r:Path", "/{first}/x", "Routes:r:Path: must not begin with a parameter")]
    [InlineData("Routes:r:Path", "/Admin/cache",
        "Routes:r:Path: must not begin with a parameter, nor with a path of the gateway itself")]
    [InlineData("Routes:r:Path", "/v0/workflows/{w}/jobs/{j}",
        "Routes:r:Path: is the same as that of jobs, which the gateway serves already")]
    [InlineData("Routes:s:Path", "/v0/scenes/{other}", "Routes:s:Path: is the same as that of Routes:r")]
    [InlineData("Routes:s:Path", "/V0/Scenes/{id}", "Routes:s:Path: is the same as that of Routes:r")]
    [InlineData("Routes:s p:Path", "/v0/x", "Routes:s p: a route's name is")]
    [InlineData("Routes:r:Query:0", "a&b", "Routes:r:Query:0: must name a query parameter")]
    [InlineData("Routes:r:Query:0", "workflowId",
        "Routes:r:Query:0: names a workflow; put it into the path")]
    [InlineData("Routes:r:Query:0", "Workflow", "Routes:r:Query:0: names a workflow")]
    [InlineData("Routes:r:Query:0", "workflows", "Routes:r:Query:0: names a workflow")]
    [InlineData("Routes:r:Query:0", "workflow_ids", "Routes:r:Query:0: names a workflow")]
    [InlineData("Routes:r:Query:0", "wf-id", "Routes:r:Query:0: names a workflow")]
    [InlineData("Routes:r:Query:0", "", "Routes:r:Query:0: must name a query parameter")]
    [InlineData("Routes:r:ResponseHeaders:0", "", "Routes:r:ResponseHeaders:0: must name a header")]
    [InlineData("Routes:r:ResponseHeaders:0", "a b", "Routes:r:ResponseHeaders:0: must name a header")]
    [InlineData("Routes:r:ResponseHeaders:0", "set-cookie",
        "Routes:r:ResponseHeaders:0: cannot be passed on")]
    [InlineData("Routes:r:ResponseHeaders:0", "Access-Control-Allow-Origin",
        "Routes:r:ResponseHeaders:0: cannot be passed on")]
    [InlineData("Routes:r:IdleTimeout", "00:00:00", "Routes:r:IdleTimeout: must be from 00:00:01")]
    [InlineData("Routes:r:Method", "POST", "Routes:r:Method: is not an option")]
    [InlineData("Teams:a:Routes:0", "none", "Teams:a:Routes:0: must be a name under Routes, or *")]
    [InlineData("Contract:DriftChecksPerSecond", "-1", "Contract:DriftChecksPerSecond: must be from 0 to 1000")]
    [InlineData("Contract:DriftChecksPerSecond", "1001", "Contract:DriftChecksPerSecond: must be from 0 to 1000")]
    [InlineData("Jobs:RunningStatuses:0", "Completed",
        "Jobs:RunningStatuses: a word of the list already means success or failure")]
    [InlineData("Jobs:RunningStatuses:0", "failed",
        "Jobs:RunningStatuses: a word of the list already means success or failure")]
    [InlineData("Jobs:MinPollInterval", "00:00:00", "Jobs:MinPollInterval: must be from 00:00:01")]
    [InlineData("Jobs:MinPollInterval", "00:00:31", "Jobs:MaxPollInterval: must not be less than Jobs:MinPollInterval")]
    [InlineData("Jobs:MaxBodyBytes", "", "Jobs:MaxBodyBytes: cannot be converted to")]
    [InlineData("Upstream:BaseAddress", "", "Upstream:BaseAddress: must be an absolute http or https address")]
    [InlineData("ConnectionStrings:Redis", "allowAdmin=true", "ConnectionStrings:Redis: names no server")]
    [InlineData("Teams:a:Account", "none", "Teams:a:Account: must be a name under Upstream:Accounts")]
    [InlineData("Teams:a:Quota", "none", "Teams:a:Quota: must name quotas under Quotas")]
    [InlineData("Teams:a:Workflows:1", "a*b", "Teams:a:Workflows:1: must be a workflow id")]
    [InlineData("Teams:a:ApiKeys:0:Sha256", "abc", "Teams:a:ApiKeys:0:Sha256: must be the SHA-256")]
    [InlineData("Teams:a:ApiKeys:0:ExpiresAt", "later", "Teams:a:ApiKeys:0:ExpiresAt: must be a date and time")]
    [InlineData("Teams:a:ApiKeys:0:NotBefore", "soon", "Teams:a:ApiKeys:0:NotBefore: must be a date and time")]
    [InlineData("Teams:a:ApiKeys:0:ExpiresAtt", "2027-01-01", "Teams:a:ApiKeys:0:ExpiresAtt: is not an option")]
    [InlineData("Quotas:q:Requests", "0", "Quotas:q:Requests: must be from 1")]
    [InlineData("Quotas:q:Requests", "1000000", "Quotas:q:Burst: must be at least")]
    [InlineData("Management:Port", "70000", "Management:Port: must be from 0 to 65535")]
    [InlineData("Teams:a:Claims:groups:0", "", "Teams:a:Claims:groups: must list at least one value")]
    [InlineData("Teams:a:Claims:groups", "mapping", "Teams:a:Claims:groups: is not an option that takes a value")]
    [InlineData("Teams:a:Quota", "q none", "Teams:a:Quota: must name quotas under Quotas")]
    [InlineData("Teams:a:Quota", "q Q", "Teams:a:Quota: names a quota twice")]
    [InlineData("Teams:a:Quota", " ", "Teams:a:Quota: must name a quota")]
    [InlineData("Teams:a:ApiKeys:0:Quota", "none", "Teams:a:ApiKeys:0:Quota: must name quotas under Quotas")]
    [InlineData("Quotas:q:Mode", "7", "Quotas:q:Mode: must be Enforce or Observe")]
    [InlineData("Quotas:q:Mode", "Perhaps", "Quotas:q:Mode: cannot be converted to")]
    [InlineData("Teams:a:Order", "first", "Teams:a:Order: cannot be converted to")]
    [InlineData("Authentication:FailedAttempts", "-1", "Authentication:FailedAttempts: must be from 0")]
    [InlineData("Authentication:Jwt:Audience", "gateway", "Authentication:Jwt:Authority: is missing")]
    [InlineData("Authentication:Jwt:Authority", "https://provider.example", "Authentication:Jwt:Audience: is missing")]
    [InlineData("Authentication:Jwt:ClockSkew", "01:00:00", "Authentication:Jwt:ClockSkew: must be from")]
    [InlineData("Authentication:Oidc:ClientId", "gateway", "Authentication:Oidc:Authority: is missing")]
    [InlineData("Authentication:Oidc:IdleLifetime", "00:00:10", "Authentication:Oidc:IdleLifetime: must be from")]
    [InlineData("Authentication:Oidc:IdleLifetime", "09:00:00",
        "Authentication:Oidc:IdleLifetime: must not be longer than AbsoluteLifetime")]
    [InlineData("Authentication:Oidc:AbsoluteLifetime", "40.00:00:00",
        "Authentication:Oidc:AbsoluteLifetime: must be from")]
    [InlineData("Cors:AllowedOrigins:0", "*", "Cors:AllowedOrigins:0: must be an origin as browsers write it")]
    [InlineData("Cors:AllowedOrigins:0", "https://app.example.com/",
        "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("Cors:AllowedOrigins:0", "https://*.example.com",
        "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("Cors:AllowedOrigins:0", "https://App.example.com:443",
        "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("Cors:AllowedOrigins:0", "https://b\u00fccher.example", "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("Cors:AllowedOrigins:0", "https://user@app.example.com", "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("Cors:AllowedOrigins:0", "null", "Cors:AllowedOrigins:0: must be an origin")]
    [InlineData("ForwardedHeaders:KnownProxies:0", "proxy",
        "ForwardedHeaders:KnownProxies:0: must be an IP address")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0",
        "ForwardedHeaders:KnownNetworks:0: must be a network")]
    [InlineData("ForwardedHeaders:ForwardLimit", "0", "ForwardedHeaders:ForwardLimit: must be from 1")]
    [InlineData("PathBase", "gateway", "PathBase: must begin with '/'")]
    [InlineData("PathBase", "/gateway/", "PathBase: must begin with '/'")]
    [InlineData("PathBase", "/gate way", "PathBase: must begin with '/'")]
    [InlineData("Https:HstsMaxAge", "-00:00:01", "Https:HstsMaxAge: must be from")]
    [InlineData("ConnectionStrings:Redis", "host,nonsense=1",
        "ConnectionStrings:Redis: is not an address of Redis")]
    public void A_configuration_error_is_one_line_that_starts_with_its_key(string key, string value, string line)
    {
        var settings = Right();
        settings[key] = value;

        var wrong = Assert.Throws<OptionsValidationException>(() => Read(settings));

        Assert.StartsWith(line, Assert.Single(wrong.Failures), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Authority", "provider.example", "Authentication:Oidc:Authority: must be the provider's issuer")]
    [InlineData("Authority", "http://provider.example", "Authentication:Oidc:Authority: must be https")]
    [InlineData("Authority", "https://provider.example/?x=1",
        "Authentication:Oidc:Authority: must be the provider's issuer")]
    [InlineData("ClientId", "", "Authentication:Oidc:ClientId: is missing")]
    [InlineData("ClientSecret", "", "Authentication:Oidc:ClientSecret: is missing")]
    [InlineData("ClientSecretFile", "/nowhere", "Authentication:Oidc: has both ClientSecret and ClientSecretFile")]
    [InlineData("Scopes:0", "profile", "Authentication:Oidc:Scopes: must contain openid")]
    public void An_error_in_the_identity_provider_settings_is_one_line_that_starts_with_its_key(
        string key, string value, string line)
    {
        var settings = Right();
        (settings["Authentication:Oidc:Authority"], settings["Authentication:Oidc:ClientId"]) = (
            "https://provider.example", "gateway");
        settings["Authentication:Oidc:ClientSecret"] = "secret";
        Assert.Null(Record.Exception(() => Read(settings)));
        settings[$"Authentication:Oidc:{key}"] = value;

        var wrong = Assert.Throws<OptionsValidationException>(() => Read(settings));

        Assert.StartsWith(line, Assert.Single(wrong.Failures), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", wrong.Message.Replace("ClientSecret", "", StringComparison.Ordinal),
            StringComparison.Ordinal);
    }

    [Fact]
    public void All_configuration_errors_are_reported_at_once()
    {
        var settings = Right();
        (settings["Jobs:StaleIfError"], settings["Upstream:Timeout"], settings["Teams:a:Quota"]) = (
            "9.00:00:00", "00:00:00", "none");
        Assert.Equal(3, Assert.Throws<OptionsValidationException>(() => Read(settings)).Failures.Count());
    }

    [Fact]
    public void Unknown_keys_values_that_cannot_be_converted_and_values_out_of_range_are_all_reported_at_once()
    {
        var settings = Right();
        (settings["Jobs:StaleIfErorr"], settings["Upstream:Timeout"]) = ("00:00:01", "soon");
        (settings["Jobs:VerifyIds"], settings["Jobs:MaxBodyBytes"]) = ("maybe", "1");
        (settings["Teams:a:ApiKeys:0:ExpiresAtt"], settings["Teams:a:Workflows"]) = ("2027-01-01", "survey-*");

        var wrong = Assert.Throws<OptionsValidationException>(() => Read(settings));

        Assert.Equal(
            ["Jobs:MaxBodyBytes", "Jobs:StaleIfErorr", "Jobs:VerifyIds", "Teams:a:ApiKeys:0:ExpiresAtt",
                "Teams:a:Workflows", "Upstream:Timeout"],
            wrong.Failures.Select(line => line.Split(": ")[0]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("""{"Jobs":{"VerifyIds":null,"MaxBodyBytes":null,"StaleIfError":null}}""")]
    [InlineData("""{"PathBase":null,"Upstream":{"BaseAddress":null,"OpenApiDocument":null}}""")]
    public void A_null_leaves_the_default(string json)
    {
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).AddJsonStream(file).Build();
        var options = LiveConfiguration<GatewayOptions>.Read(configuration);
        Assert.Equal(JsonSerializer.Serialize(Read(Right())), JsonSerializer.Serialize(options));
    }

    [Fact]
    public void An_empty_object_is_a_section_with_defaults()
    {
        using var file = new MemoryStream("""{"Quotas":{"empty":{}},"Teams":{"b":{"Quota":"empty"}}}"""u8.ToArray());
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).AddJsonStream(file).Build();
        Assert.Equal(600, LiveConfiguration<GatewayOptions>.Read(configuration).Quotas["empty"].Requests);
    }

    [Fact]
    public void Two_teams_cannot_have_the_same_key()
    {
        var settings = Right();
        (settings["Teams:b:ApiKeys:0:Id"], settings["Teams:b:ApiKeys:0:Sha256"]) = ("b", Hash.ToUpperInvariant());
        Assert.Contains("is the same key as Teams:a:ApiKeys:0",
            Assert.Throws<OptionsValidationException>(() => Read(settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Appsettings_lists_every_option_with_its_default()
    {
        var path = Path.Combine(Repository.Root, "appsettings.json");
        using var written = JsonDocument.Parse(
            File.ReadAllText(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
        var bound = new ConfigurationBuilder().AddJsonFile(path).Build().Get<GatewayOptions>()!;

        AssertListed(written.RootElement, bound, new GatewayOptions());
        AssertListed(written.RootElement.GetProperty("Quotas").GetProperty("standard"), bound.Quotas["standard"],
            new QuotaOptions());
        AssertListed(written.RootElement.GetProperty("Upstream").GetProperty("Accounts").GetProperty("default"),
            bound.Upstream.Accounts["default"], new AccountOptions());
    }

    [Fact]
    public void Appsettings_is_complete_except_for_a_credential()
    {
        var file = new ConfigurationBuilder().AddJsonFile(Path.Combine(Repository.Root, "appsettings.json")).Build();
        var line = Assert.Single(
            Assert.Throws<OptionsValidationException>(() => LiveConfiguration<GatewayOptions>.Read(file)).Failures);
        Assert.StartsWith("Upstream:Accounts:default:Credential: ", line, StringComparison.Ordinal);

        file["Upstream:Accounts:default:Credential"] = "a-credential";
        Assert.Empty(LiveConfiguration<GatewayOptions>.Read(file).Teams);
    }

    public static TheoryData<string> Keys =>
    [
        "ConnectionStrings:Redis", "Upstream:BaseAddress", "Upstream:Timeout", "Upstream:Accounts:default:Credential",
        "Upstream:Accounts:default:CredentialFile", "Teams:a:Account", "Teams:a:Quota", "Teams:a:Workflows",
        "Teams:a:Workflows:0",
        "Teams:a:ApiKeys", "Teams:a:ApiKeys:0", "Teams:a:ApiKeys:0:Id", "Teams:a:ApiKeys:0:Sha256",
        "Teams:a:ApiKeys:0:NotBefore", "Teams:a:ApiKeys:0:ExpiresAt",
        "Teams", "Teams:a", "Quotas", "Quotas:q", "Quotas:q:Requests", "Quotas:q:Window", "Quotas:q:Burst", "Jobs",
        "Jobs:FinishedStatuses",
        "Jobs:FinishedStatuses:0", "Jobs:FailedStatuses:0", "Jobs:RunningStatuses:0", "Contract:DriftChecksPerSecond",
        "Jobs:FinishedLifetime", "Jobs:MaxBodyBytes", "Jobs:MemoryBytes",
        "Jobs:VerifyIds", "Routes", "Routes:r", "Routes:r:Path", "Routes:r:Query", "Routes:r:Query:0",
        "Routes:r:ResponseHeaders:0", "Routes:r:IdleTimeout", "Teams:a:Routes:0",
        "Upstream:OpenApiDocument", "Management:Port", "Teams:a:Claims", "Teams:a:Claims:groups",
        "Teams:a:Claims:groups:0", "Teams:a:Order",
        "Authentication", "Authentication:Jwt", "Authentication:Jwt:Authority", "Authentication:Jwt:Audience",
        "Authentication:Jwt:ClockSkew", "Authentication:ClockSkew", "Authentication:Jwt:MetadataAddress",
        "Authentication:Jwt:Audiences", "Authentication:Jwt:Audiences:0", "Authentication:Jwt:ClientIds",
        "Authentication:Jwt:ClientIds:0", "Authentication:Jwt:Others", "Authentication:Jwt:Others:p",
        "Authentication:Jwt:Others:p:Authority", "Authentication:Jwt:Others:p:Audience",
        "Teams:a:Claims:x:y", "Teams:a:Claims:x:y:0", "Teams:a:ClaimRules", "Teams:a:ClaimRules:0",
        "Teams:a:ClaimRules:0:Claim", "Teams:a:ClaimRules:0:Values", "Teams:a:ClaimRules:0:Values:0",
        "Teams:a:ClaimRules:0:Keys", "Teams:a:ClaimRules:0:Member", "Teams:a:ClaimRules:0:Issuer",
        "Teams:a:Issuers", "Teams:a:Issuers:0", "Authentication:Oidc:MetadataAddress",
        "Authentication:Oidc:Authority", "Authentication:Oidc:ClientSecretFile", "Authentication:Oidc:Scopes:0",
        "Authentication:Oidc:IdleLifetime",
        "Authentication:FailedAttempts", "Cors:AllowedOrigins", "Cors:AllowedOrigins:0",
        "ForwardedHeaders:KnownProxies:0",
        "ForwardedHeaders:KnownNetworks:0", "PathBase", "Https:Redirect", "Https:HstsMaxAge",
    ];

    [Theory]
    [MemberData(nameof(Keys))]
    public void Any_value_is_either_valid_or_a_validation_error(string key) =>
        Gen.OneOf(Gen.String, Gen.String["0123456789:.-"], Gen.String["ab,=:[]/.0"], Gen.OneOf("", " ")).Sample(value =>
        {
            var settings = Right();
            settings[key] = value;
            Assert.True(Record.Exception(() => Read(settings)) is null or OptionsValidationException, value);
        }, iter: 100);

    [Theory]
    [InlineData("""{"ConnectionStrings":{"Redis":null}}""")]
    [InlineData("""{"Upstream":null}""")]
    [InlineData("""{"Upstream":{"BaseAddress":null}}""")]
    [InlineData("""{"Upstream":{"Accounts":{"default":null}}}""")]
    [InlineData("""{"Upstream":{"Accounts":{"default":{"Credential":null}}}}""")]
    [InlineData("""{"Upstream":{"Accounts":{"default":{"CredentialFile":null}}}}""")]
    [InlineData("""{"Teams":{"a":null}}""")]
    [InlineData("""{"Teams":{"b":null}}""")]
    [InlineData("""{"Teams":{"a":{"Account":null}}}""")]
    [InlineData("""{"Teams":{"a":{"Quota":null}}}""")]
    [InlineData("""{"Teams":{"b":{"Workflows":null,"ApiKeys":null}}}""")]
    [InlineData("""{"Teams":{"a":{"Workflows":[null]}}}""")]
    [InlineData("""{"Teams":{"b":{"ApiKeys":[null]}}}""")]
    [InlineData("""{"Teams":{"a":{"ApiKeys":[{"Id":null}]}}}""")]
    [InlineData("""{"Teams":{"a":{"ApiKeys":[{"Sha256":null}]}}}""")]
    [InlineData("""{"Teams":{"a":{"ApiKeys":[{"ExpiresAt":null}]}}}""")]
    [InlineData("""{"Quotas":{"r":null}}""")]
    [InlineData("""{"Routes":null}""")]
    [InlineData("""{"Routes":{"r":null}}""")]
    [InlineData("""{"Routes":{"s":null}}""")]
    [InlineData("""{"Routes":{"r":{"Path":null}}}""")]
    [InlineData("""{"Routes":{"r":{"Query":[null],"ResponseHeaders":null}}}""")]
    [InlineData("""{"Teams":{"a":{"Routes":[null]}}}""")]
    [InlineData("""{"Upstream":{"OpenApiDocument":null}}""")]
    [InlineData("""{"Quotas":{"q":{"Window":null}}}""")]
    [InlineData("""{"Jobs":{"FinishedStatuses":null}}""")]
    [InlineData("""{"Jobs":{"FinishedStatuses":[null]}}""")]
    [InlineData("""{"Jobs":{"RunningStatuses":[null]}}""")]
    [InlineData("""{"Jobs":{"MaxBodyBytes":null}}""")]
    [InlineData("""{"Teams":{"a":{"Claims":null}}}""")]
    [InlineData("""{"Teams":{"a":{"Claims":{"groups":null}}}}""")]
    [InlineData("""{"Teams":{"a":{"Claims":{"groups":[null]}}}}""")]
    [InlineData("""{"Authentication":null}""")]
    [InlineData("""{"Authentication":{"Oidc":null,"Jwt":null}}""")]
    [InlineData("""{"Authentication":{"Jwt":{"Authority":null}}}""")]
    [InlineData("""{"Authentication":{"Oidc":{"Scopes":[null]}}}""")]
    [InlineData("""{"Cors":{"AllowedOrigins":[null]}}""")]
    [InlineData("""{"ForwardedHeaders":{"KnownProxies":[null]}}""")]
    [InlineData("""{"PathBase":null}""")]
    public void A_null_in_a_file_is_either_valid_or_a_validation_error(string json)
    {
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).AddJsonStream(file).Build();
        var thrown = Record.Exception(() => LiveConfiguration<GatewayOptions>.Read(configuration));
        Assert.True(thrown is null or OptionsValidationException, $"{thrown}");
    }

    [Theory]
    [InlineData("a-password,nonsense=1")]
    [InlineData("a-password,ssl=perhaps")]
    public void An_invalid_connection_string_is_reported_without_its_password(string rest)
    {
        var settings = Right();
        settings["ConnectionStrings:Redis"] = "host:6379,password=" + rest;

        var wrong = Assert.Throws<OptionsValidationException>(() => Read(settings));

        Assert.StartsWith("ConnectionStrings:Redis: ", Assert.Single(wrong.Failures), StringComparison.Ordinal);
        Assert.DoesNotContain("a-password", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Jobs:FinishedStatuses:0", "Failed")]
    [InlineData("Jobs:FailedStatuses:0", "Completed")]
    public void A_status_cannot_be_both_a_success_and_a_failure(string key, string status)
    {
        var settings = Right();
        settings[key] = status;
        Assert.Equal($"{key[..^2]}: a word cannot mean both success and failure; set both lists",
            Assert.Single(Assert.Throws<OptionsValidationException>(() => Read(settings)).Failures));
    }

    [Fact]
    public void An_account_that_a_team_uses_must_have_a_credential()
    {
        var settings = Right();
        (settings["Teams:a:Account"], settings["Upstream:Accounts:Other:Credential"]) = ("other", "");
        Assert.StartsWith("Upstream:Accounts:Other: a team uses this account",
            Assert.Single(Assert.Throws<OptionsValidationException>(() => Read(settings)).Failures),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_other_sections_are_found_in_any_case()
    {
        var settings = Right();
        (settings["Teams:a:Account"], settings["Teams:a:Quota"]) = ("DEFAULT", "Q");
        Assert.Equal("Q", Read(settings).Teams["A"].Quota);
    }

    [Fact]
    public void A_change_takes_effect_at_once_and_listeners_are_notified()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).Build();
        using var live = new LiveConfiguration<GatewayOptions>(configuration, new Lines());
        var told = new List<GatewayOptions>();
        live.Changed += told.Add;

        configuration["Jobs:RunningLifetime"] = "00:00:07";
        configuration.Reload();

        Assert.Equal(TimeSpan.FromSeconds(7), live.Current.Jobs.RunningLifetime);
        Assert.Same(live.Current, Assert.Single(told));
    }

    [Fact]
    public void A_listener_that_throws_is_logged_with_its_stack_and_the_others_get_the_new_configuration()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).Build();
        using var log = new LogLines();
        using var loggers = new LoggerFactory([log]);
        using var live = new LiveConfiguration<GatewayOptions>(
            configuration, loggers.CreateLogger<LiveConfiguration<GatewayOptions>>());
        var told = new List<GatewayOptions>();
        live.Changed += _ => throw new NotSupportedException("a defect of a listener");
        live.Changed += told.Add;

        for (var seconds = 7; seconds < 9; seconds++)
        {
            configuration["Jobs:RunningLifetime"] = $"00:00:0{seconds}";
            configuration.Reload();
            Assert.Equal(TimeSpan.FromSeconds(seconds), live.Current.Jobs.RunningLifetime);
            Assert.Same(live.Current, told[^1]);
        }

        Assert.Equal(2, log.All.Count(line => line.StartsWith("Error", StringComparison.Ordinal)
            && line.Contains($"at {typeof(LiveConfigurationTests).FullName}", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_component_that_cannot_prepare_for_a_change_keeps_the_old_configuration_everywhere()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).Build();
        using var log = new LogLines();
        using var loggers = new LoggerFactory([log]);
        using var live = new LiveConfiguration<GatewayOptions>(
            configuration, loggers.CreateLogger<LiveConfiguration<GatewayOptions>>());
        var (before, inForce, isBroken) = (live.Current, new List<GatewayOptions>(), true);
        live.Changing += options => () => inForce.Add(options);
        live.Changing += _ => isBroken ? throw new NotSupportedException("a defect of a part") : () => { };
        live.Changed += inForce.Add;

        configuration["Jobs:RunningLifetime"] = "00:00:07";
        configuration.Reload();

        Assert.Same(before, live.Current);
        Assert.Empty(inForce);
        var line = Assert.Single(log.All, line => line.Contains("A defect of the gateway", StringComparison.Ordinal));
        Assert.StartsWith("Error", line, StringComparison.Ordinal);
        Assert.Contains($"at {typeof(LiveConfigurationTests).FullName}", line, StringComparison.Ordinal);

        isBroken = false;
        configuration["Jobs:RunningLifetime"] = "00:00:08";
        configuration.Reload();

        Assert.Equal(TimeSpan.FromSeconds(8), live.Current.Jobs.RunningLifetime);
        Assert.Equal([live.Current, live.Current], inForce);
    }

    [Theory]
    [InlineData("Jobs:RunningLifetime", "soon", "00:00:03")]
    [InlineData("Jobs:RunningLifetime", "10", "00:00:10")]
    [InlineData("Jobs:RunningLifetime", "", "00:00:02")]
    [InlineData("Upstream:BaseAddress", "", "https://example.test")]
    [InlineData("Upstream:Accounts:default:Credential", "", "another-credential")]
    [InlineData("Teams:a:Quota", "none", "q")]
    public void An_invalid_change_keeps_the_old_configuration_until_it_is_corrected(
        string key, string wrong, string right)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).Build();
        var lines = new Lines();
        using var live = new LiveConfiguration<GatewayOptions>(configuration, lines);
        var before = live.Current;
        var told = 0;
        live.Changed += _ => told++;

        configuration[key] = wrong;
        configuration.Reload();

        Assert.Same(before, live.Current);
        Assert.Equal(0, told);
        Assert.Contains(key, Assert.Single(lines.Errors), StringComparison.Ordinal);

        configuration[key] = right;
        configuration.Reload();

        Assert.Equal(1, told);
        Assert.NotSame(before, live.Current);
    }

    [Fact]
    public void An_invalid_change_is_logged_with_one_line_per_error()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(Right()).Build();
        var lines = new Lines();
        using var live = new LiveConfiguration<GatewayOptions>(configuration, lines);

        (configuration["Jobs:StaleIfError"], configuration["Teams:a:Quota"]) = ("9.00:00:00", "none");
        configuration.Reload();

        Assert.Equal(2, lines.Errors.Count);
    }

    [Theory]
    [InlineData("2027-01-31T10:00:00Z", true)]
    [InlineData("2027-01-31T10:00:00.123456+02:00", true)]
    [InlineData("2027-01-31", true)]
    [InlineData("1/2/2027", false)]
    [InlineData("31 January", false)]
    [InlineData("10:00", false)]
    public void The_expiry_of_a_key_must_be_an_unambiguous_time(string time, bool fine)
    {
        var settings = Right();
        settings["Teams:a:ApiKeys:0:ExpiresAt"] = time;
        Assert.Equal(fine, Record.Exception(() => Read(settings)) is null);
    }

    [Theory]
    [InlineData("2027-01-31", "2027-02-01", true)]
    [InlineData("2027-01-31", "2027-01-31", false)]
    [InlineData("2027-02-01", "2027-01-31", false)]
    public void The_expiry_of_a_key_must_be_later_than_its_start(string notBefore, string expiresAt, bool fine)
    {
        var settings = Right();
        (settings["Teams:a:ApiKeys:0:NotBefore"], settings["Teams:a:ApiKeys:0:ExpiresAt"]) = (notBefore, expiresAt);
        var wrong = (OptionsValidationException?)Record.Exception(() => Read(settings));
        if (fine) Assert.Null(wrong);
        else Assert.StartsWith("Teams:a:ApiKeys:0:ExpiresAt: must be later than NotBefore",
            Assert.Single(wrong!.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void An_invalid_configuration_prevents_the_start() => Assert.Throws<OptionsValidationException>(
        () => new LiveConfiguration<GatewayOptions>(new ConfigurationBuilder().Build(), new Lines()));

    private static void AssertListed(JsonElement section, object bound, object defaults)
    {
        foreach (var property in defaults.GetType().GetProperties().Where(property => property.CanWrite))
        {
            Assert.True(section.TryGetProperty(property.Name, out var listed),
                $"{property.DeclaringType!.Name}.{property.Name} is not listed");
            object? value = property.GetValue(bound), fallback = property.GetValue(defaults);
            if (fallback is IDictionary) continue;
            if (fallback is null or string or Uri or IEnumerable or ValueType) Assert.Equal(fallback, value);
            else AssertListed(listed, value!, fallback);
        }
    }

    private static GatewayOptions Read(Dictionary<string, string?> settings) =>
        LiveConfiguration<GatewayOptions>.Read(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());

    private static Dictionary<string, string?> Right() => new()
    {
        ["Upstream:Accounts:default:Credential"] = "a-credential",
        ["Quotas:standard:Requests"] = "600",
        ["Quotas:q:Requests"] = "600",
        ["Routes:r:Path"] = "/v0/scenes/{id}",
        ["Teams:a:Workflows:0"] = "*",
        ["Teams:a:ApiKeys:0:Id"] = "a",
        ["Teams:a:ApiKeys:0:Sha256"] = Hash,
    };

    private sealed class Lines : ILogger<LiveConfiguration<GatewayOptions>>
    {
        public List<string> Errors { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Error) Errors.Add(formatter(state, exception));
        }
    }
}
