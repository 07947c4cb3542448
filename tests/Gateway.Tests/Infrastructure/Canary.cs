using System.Text;

namespace Gateway.Tests.Infrastructure;

/// <summary>The upstream credential of all tests. The gateway must never show it to callers, logs or Redis.</summary>
internal static class Canary
{
    public const string Secret = "canary-5e1f0c77d9/+&a2";
    public const string Credential = "Bearer " + Secret;

    /// <summary>Later credentials. Each contains the secret, so a search for the secret finds all of them.</summary>
    public const string Next = Credential + "-next", Third = Credential + "-third";

    public static void AssertAbsent(string where, string text) =>
        Assert.False(text.Contains(Secret, StringComparison.OrdinalIgnoreCase),
            $"The upstream credential is in {where}");

    public static void AssertAbsent(string where, ReadOnlySpan<byte> bytes) =>
        Assert.False(bytes.IndexOf(Encoding.ASCII.GetBytes(Secret)) >= 0, $"The upstream credential is in {where}");

    /// <summary>Searches every answer for the credential before the test reads it.</summary>
    public sealed class Handler : DelegatingHandler
    {
        // A test that needs cookies keeps them itself.
        public Handler() : base(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            MaxConnectionsPerServer = 1000,
        })
        {
        }

        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            AssertAbsent("a body", await response.Content.ReadAsByteArrayAsync(cancellationToken));
            AssertAbsent("a header", response.Headers.ToString() + response.Content.Headers);
            return response;
        }
    }
}
