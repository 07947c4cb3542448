using Gateway.Jobs;

namespace Gateway.Caching;

/// <summary>Is told of each job that the upstream sends. It must be quick, and must not throw.</summary>
internal interface IJobObserver
{
    /// <param name="body">As it came.</param>
    void Offer(JobAddress address, byte[] body);
}
