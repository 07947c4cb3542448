using System.Text.RegularExpressions;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

[Trait("Kind", "Unit")]
public sealed class JobAddressTests
{
    private static readonly Gen<string> Text = Gen.OneOf(
        Gen.String, Gen.String["abcXYZ019._~-"], Gen.String["./%"], Gen.String[Gen.Char["aZ9._~-"], 126, 131]);

    [Fact]
    public void An_identifier_matches_the_documented_pattern() =>
        Text.Sample(text => Assert.Equal(IsFine(text), JobAddress.IsIdentifier(text)));

    [Fact]
    public void An_address_consists_of_two_identifiers() => Gen.Select(Text, Text).Sample((workflow, job) =>
    {
        Assert.Equal(IsFine(workflow) && IsFine(job), JobAddress.TryCreate(workflow, job, out var address));
        Assert.Equal(IsFine(workflow) && IsFine(job) ? (workflow, job) : (null, null), (address.Workflow, address.Job));
    });

    [Theory]
    [InlineData("a", true)]
    [InlineData("...", true)]
    [InlineData(".a", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a/b", false)]
    [InlineData("a%2Fb", false)]
    [InlineData("a\0", false)]
    [InlineData("a\n", false)]
    [InlineData("a b", false)]
    [InlineData("a{b}", false)]
    [InlineData("é", false)]
    [InlineData("\uff41", false)]
    public void Text_with_a_special_meaning_in_a_path_or_key_is_not_an_identifier(string text, bool fine) =>
        Assert.Equal(fine, JobAddress.IsIdentifier(text));

    [Theory]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void An_identifier_has_at_most_128_characters(int length, bool fine) =>
        Assert.Equal(fine, JobAddress.IsIdentifier(new string('a', length)));

    [Theory]
    [InlineData("/v0/workflows/w/jobs/j", true)]
    [InlineData("/V0/Workflows/w/JOBS/j", true)]
    [InlineData("/v0/workflows//jobs/j", true)]
    [InlineData("/v0/workflows/../jobs/j", true)]
    [InlineData("/v0/workflows/w/jobs/", true)]
    [InlineData("/v0/workflows/w/jobs/..", true)]
    [InlineData("/v0/workflows/w/jobs/j/tasks", false)]
    [InlineData("/v0/workflows/w/jobs", false)]
    [InlineData("/v0/workflows/w", false)]
    [InlineData("/v1/workflows/w/jobs/j", false)]
    [InlineData("/", false)]
    [InlineData("", false)]
    public void A_path_shaped_like_a_job_path_is_recognised(string path, bool shape) =>
        Assert.Equal(shape, JobAddress.IsShapeOf(path));

    private static bool IsFine(string text) => Regex.IsMatch(text, @"\A[A-Za-z0-9._~-]{1,128}\z")
        && text is not ("." or "..");
}
