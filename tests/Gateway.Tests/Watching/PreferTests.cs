using Gateway.Watching;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Watching;

[Trait("Kind", "Unit")]
public sealed class PreferTests
{
    [Theory]
    [InlineData("wait=10", 10)]
    [InlineData("WAIT=10", 10)]
    [InlineData("wait = 10", 10)]
    [InlineData("wait=\"10\"", 10)]
    [InlineData("respond-async, wait=10", 10)]
    [InlineData("wait=10; foo=bar, return=minimal", 10)]
    [InlineData("wait=10, wait=20", 10)]
    [InlineData("wait=0", 0)]
    [InlineData("wait=99999999999999999999", int.MaxValue)]
    public void The_first_wait_preference_is_read(string header, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Prefer.Wait(header));

    [Theory]
    [InlineData("")]
    [InlineData("wait")]
    [InlineData("wait=")]
    [InlineData("wait=soon")]
    [InlineData("wait=-1")]
    [InlineData("wait=1.5")]
    [InlineData("waits=10")]
    [InlineData("return=minimal")]
    public void A_malformed_or_other_preference_is_ignored(string header) => Assert.Null(Prefer.Wait(header));

    [Fact]
    public void Several_header_lines_are_one_list() =>
        Assert.Equal(TimeSpan.FromSeconds(7), Prefer.Wait(new StringValues(["return=minimal", "wait=7"])));
}
