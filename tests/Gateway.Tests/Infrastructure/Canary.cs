using System.Text;

namespace Gateway.Tests.Infrastructure;

/// <summary>The upstream credential of all tests: it must never be seen on this side of the upstream.</summary>
internal static class Canary
{
    public const string Secret = "canary-5e1f0c77d9/+&a2";
    public const string Credential = "Bearer " + Secret;

    /// <summary>Its successors; whoever finds one of them finds the secret.</summary>
    public const string Next = Credential + "-next", Third = Credential + "-third";

    public static void AssertAbsent(string where, string text) =>
        Assert.False(text.Contains(Secret, StringComparison.OrdinalIgnoreCase), $"The upstream credential is in {where}");

    public static void AssertAbsent(string where, ReadOnlySpan<byte> bytes) =>
        Assert.False(bytes.IndexOf(Encoding.ASCII.GetBytes(Secret)) >= 0, $"The upstream credential is in {where}");

    /// <summary>Looks through every answer before the test does.</summary>
    public sealed class Handler : DelegatingHandler
    {
        public Handler() : base(new SocketsHttpHandler { AllowAutoRedirect = false, MaxConnectionsPerServer = 1000 })
        {
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            AssertAbsent("a body", await response.Content.ReadAsByteArrayAsync(cancellationToken));
            AssertAbsent("a header", response.Headers.ToString() + response.Content.Headers);
            return response;
        }
    }
}
