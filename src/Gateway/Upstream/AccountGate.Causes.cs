namespace Gateway.Upstream;

/// <content>Callers who wait until the cause of a refusal is known.</content>
internal sealed partial class AccountGate
{
    /// <summary>Waits for the cause of a refusal: the job or the credential.</summary>
    /// <param name="credential">The refused credential. The end of that call has been reported.</param>
    public async ValueTask<RefusalCause> FindCauseAsync(Credential credential, TimeSpan maxWait)
    {
        var waiter = new CauseWaiter(credential.Fingerprint);
        lock (_lock) _causeWaiters.Add(waiter);
        Wake();
        await ((Task)waiter.Cause.Task).WaitAsync(maxWait, Clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock) Decide(waiter, RefusalCause.Unknown);
        return await waiter.Cause.Task;
    }

    private void Decide(CauseWaiter waiter, RefusalCause cause)
    {
        if (_causeWaiters.Remove(waiter)) waiter.Cause.TrySetResult(cause);
    }

    /// <summary>A caller that waits for the cause of a refusal.</summary>
    /// <param name="credential">The fingerprint of the refused credential.</param>
    private sealed class CauseWaiter(string credential)
    {
        public string Credential => credential;

        public TaskCompletionSource<RefusalCause> Cause { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
