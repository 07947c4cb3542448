using System.Text.RegularExpressions;
using CsCheck;
using Gateway.Jobs;

namespace Gateway.Tests.Jobs;

public sealed class JobAddressTests
{
    [Fact]
    public void An_identifier_is_what_the_rule_says() =>
        Gen.OneOf(Gen.String, Gen.String["abcXYZ019._~-"], Gen.String["./%"]).Sample(text =>
            Assert.Equal(Regex.IsMatch(text, @"\A[A-Za-z0-9._~-]{1,128}\z") && text is not ("." or ".."), JobAddress.IsIdentifier(text)));
}
