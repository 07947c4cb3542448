using Gateway.Routes;

namespace Gateway.Tests.Routes;

/// <summary>Tests the translation of the upstream's references, without a host.</summary>
[Trait("Kind", "Unit")]
public sealed class ReferenceMapTests
{
    private const string Api = "https://api.example/base", Asked = Api + "/v0/workflows/survey-1?page=1";

    private static readonly ForwardedRoute[] Routes = ForwardedRoute.Of(new()
    {
        ["workflow"] = new()
        {
            Path = "/v0/workflows/{workflow_id}",
            Query = ["page", "tag"],
            OtherHosts = ["files.example", "files.example:8443", "[2001:db8::1]"],
        },
        ["workflows"] = new() { Path = "/v0/workflows", Query = ["page"] },
        ["latest"] = new() { Path = "/v0/workflows/{workflow_id}/jobs/latest", Query = ["page"] },
        ["any"] = new() { Path = "/v0/{what}", Query = ["page"] },
        ["deep"] = new() { Path = "/v0/workflows/{workflow_id}/jobs/{job_id}/{part}" },
    });

    [Theory]
    [InlineData(Api + "/v0/workflows?page=2", "../workflows?page=2")]
    [InlineData("https://API.example:443/base/v0/workflows?page=2", "../workflows?page=2")]
    [InlineData("http://api.example/base/v0/workflows?page=2", "../workflows?page=2")]
    [InlineData("//api.example/base/v0/workflows?page=2", "../workflows?page=2")]
    [InlineData("/base/v0/workflows", "../workflows")]
    [InlineData("../workflows", "../workflows")]
    [InlineData("./other?page=2#end", "other?page=2#end")]
    [InlineData("?page=2", "survey-1?page=2")]
    [InlineData("?tag=a%20b&tag=c+d&page=2", "survey-1?tag=a%20b&tag=c+d&page=2")]
    [InlineData("", "survey-1?page=1")]
    [InlineData("/base/v0/workflows/a/jobs/j1", "a/jobs/j1")]
    [InlineData("/base/v0/workflows/a/jobs/latest?page=2", "a/jobs/latest?page=2")]
    [InlineData("/base/v0/workflows/a/jobs/b/c", "a/jobs/b/c")]
    [InlineData("/base/v0/things?page=2", "../things?page=2")]
    [InlineData("/base/v0/workflows/%61bc", "abc")]
    public void A_reference_to_a_route_or_a_job_becomes_a_relative_one_to_the_gateway(
        string reference, string expected) =>
        Assert.Equal(expected, Assert.IsType<Reference.Own>(Translate(reference)).Text);

    [Theory]
    [InlineData("/base/v1/workflows", "no-route")]
    [InlineData("/v0/workflows", "no-route")]
    [InlineData("https://api.example:8443/base/v0/workflows", "host")]
    [InlineData("/base/v0/workflows/", "no-route")]
    [InlineData("/base/V0/workflows", "no-route")]
    [InlineData("/base/v0/workflows/a%2Fb", "no-route")]
    [InlineData("/base/v0/workflows/a/jobs/Latest", "no-route")]
    [InlineData("/base/v0/workflows/a/jobs/b/events", "no-route")]
    [InlineData("/base/v0/jobs", "no-route")]
    [InlineData("/base/v0/workflows/a/jobs/b?expand=tasks", "query")]
    [InlineData("/base/v0/workflows?cursor=x", "query")]
    [InlineData("/base/v0/workflows?page=2&cursor=x", "query")]
    [InlineData("/base/v0/workflows?Page=2", "query")]
    [InlineData("/base/v0/workflows?page=%ff", "query")]
    [InlineData("https://elsewhere.example/", "host")]
    [InlineData("http://files.example/x", "host")]
    [InlineData("https://files.example:9443/x", "host")]
    [InlineData("https://files.example.evil.example/x", "host")]
    [InlineData("ftp://api.example/base/v0/workflows", "host")]
    [InlineData("javascript:alert(1)", "host")]
    [InlineData("urn:x:y", "host")]
    [InlineData("https://user@files.example/x", "malformed")]
    [InlineData("https://user:password@api.example/base/v0/workflows", "malformed")]
    [InlineData("https://evil.example\\@files.example/x", "malformed")]
    [InlineData("https://files.example/a b", "malformed")]
    [InlineData("https://files.example\t/a", "malformed")]
    [InlineData("https://files.example/\u00e9", "malformed")]
    [InlineData("https://[files.example/x", "malformed")]
    public void Any_other_reference_is_dropped_for_a_reason(string reference, string reason) =>
        Assert.Equal(reason, Assert.IsType<Reference.Dropped>(Translate(reference)).Reason);

    [Fact]
    public void The_name_of_a_parameter_cannot_forge_a_line_of_the_log()
    {
        var name = $"a%0AError{new string('x', 5000)}";
        var dropped = Assert.IsType<Reference.Dropped>(Translate($"/base/v0/workflows?{name}=1"));
        Assert.Contains("'a%0AError", dropped.Why, StringComparison.Ordinal);
        Assert.InRange(dropped.Why.Length, 1, 200);
    }

    [Theory]
    [InlineData("https://files.example/a?X-Signature=a%2Fb+c#x", null)]
    [InlineData("https://FILES.example:443/a", null)]
    [InlineData("https://files.example:8443/a", null)]
    [InlineData("https://[2001:db8::1]/a", null)]
    [InlineData("//files.example/a", "https://files.example/a")]
    public void A_reference_to_a_listed_host_stays_as_it_is(string reference, string? expected) =>
        Assert.Equal(expected ?? reference, Assert.IsType<Reference.Elsewhere>(Translate(reference)).Text);

    [Theory]
    [InlineData(Asked, true)]
    [InlineData("http://api.example/base/v0/workflows/survey-1?page=1#x", true)]
    [InlineData("?page=%31", true)]
    [InlineData("?page=2", false)]
    [InlineData("survey-2?page=1", false)]
    public void A_reference_to_the_request_itself_is_recognised(string reference, bool isSame) =>
        Assert.Equal(isSame, Assert.IsType<Reference.Own>(Translate(reference)).IsSame);

    [Theory]
    [InlineData("/v0/workflows/survey-1", "../workflows")]
    [InlineData("/v0/workflows/survey-1/", "../../workflows")]
    [InlineData("/V0/Workflows/survey-1", "../../v0/workflows")]
    public void A_relative_reference_starts_at_the_path_that_the_caller_asked_for(string path, string expected) =>
        Assert.Equal(expected, Assert.IsType<Reference.Own>(Translate("/base/v0/workflows", path)).Text);

    private static Reference Translate(string reference, string path = "/v0/workflows/survey-1") =>
        new ReferenceMap(Routes).Translate(reference,
            new ReferenceMap.Origin(
                Routes.Single(route => route.Name == "workflow"), new Uri(Api), new Uri(Asked), path));
}
