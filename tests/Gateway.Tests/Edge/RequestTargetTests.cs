using Gateway.Edge;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Tests.Edge;

[Trait("Kind", "Unit")]
public sealed class RequestTargetTests
{
    [Theory]
    [InlineData("/v0/workflows/w/jobs/..?next=/x", "", "/v0/workflows/w/jobs/..")]
    [InlineData("/v0/workflows/w?/jobs/j", "", "/v0/workflows/w")]
    [InlineData("/?", "", "/")]
    [InlineData("/gw/a//b", "/gw", "/a//b")]
    [InlineData("/GW/a", "/gw", "/a")]
    [InlineData("/gw", "/gw", "")]
    [InlineData("/a/gw", "/gw", "/a/gw")]
    public void The_raw_path_excludes_the_path_base_and_the_query(string target, string pathBase, string path)
    {
        var http = new DefaultHttpContext { Request = { PathBase = pathBase } };
        http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = target;
        Assert.Equal(path, RequestTarget.PathOf(http).ToString());
    }
}
