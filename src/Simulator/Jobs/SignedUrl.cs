using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Simulator.Jobs;

/// <summary>A URL in the form of AWS Signature Version 4 query signing. The signature is only a digest.</summary>
internal static class SignedUrl
{
    private const string Region = "ap-south-1";

    public static string For(string path, DateTimeOffset signedAt, int goodForSeconds)
    {
        string time = signedAt.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string signature = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{path} {time}")));
        return $"https://simulated-scenes.s3.{Region}.amazonaws.com/{path}"
            + "?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            + $"&X-Amz-Credential=EXAMPLEKEYID%2F{time[..8]}%2F{Region}%2Fs3%2Faws4_request"
            + $"&X-Amz-Date={time}&X-Amz-Expires={goodForSeconds}&X-Amz-SignedHeaders=host"
            + $"&X-Amz-Signature={signature}";
    }
}
