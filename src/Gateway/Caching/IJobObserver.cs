using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>Receives each job that the upstream sends. An implementation returns quickly and never throws.</summary>
internal interface IJobObserver
{
    /// <param name="body">The unchanged body of the upstream's response.</param>
    void Offer(JobAddress address, byte[] body);
}
