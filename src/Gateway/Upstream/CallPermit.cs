using System.Security.Cryptography;
using System.Text;
using Gateway.Jobs;

namespace Gateway.Upstream;

/// <summary>One call of an account that may go out. It must be ended.</summary>
internal sealed class CallPermit(AccountGate gate, Credential credential, bool isTrial, JobAddress job, long permitted)
{
    private bool _isTold;

    /// <summary>What to make it with, unless it is for the other one.</summary>
    public Credential Credential => credential;

    /// <summary>Says that it goes out now.</summary>
    public void GoOut() => gate.GoOut(permitted);

    /// <summary>Says how it ended, and waits until all nodes can know it where they must.</summary>
    public ValueTask EndAsync(CallEnd end, Credential used, TimeSpan? retryAfter = null, Credential? supersedes = null) =>
        TellAsync(end, used, isOver: true, retryAfter, supersedes);

    /// <summary>The same, or only what its beginning tells: it may go on for long. What was said first stands.</summary>
    public ValueTask TellAsync(CallEnd end, Credential used, bool isOver, TimeSpan? retryAfter = null, Credential? supersedes = null)
    {
        var told = _isTold;
        _isTold = true;
        return gate.LeaveAsync(told ? null : new EndedCall(end, used.Fingerprint, end == CallEnd.Refused ? NumberOf(job) : 0, isTrial, retryAfter, supersedes?.Fingerprint), isOver);
    }

    // The same on each node.
    private static int NumberOf(JobAddress job) => BitConverter.ToInt32(SHA256.HashData(Encoding.ASCII.GetBytes($"{job.Workflow}/{job.Job}")));
}
