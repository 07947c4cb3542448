using CsCheck;
using Gateway.Caching;
using Gateway.Jobs;
using Gateway.Redis;
using Gateway.Runtime;
using Gateway.Tests.Infrastructure;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Cluster;

/// <summary>
/// Three nodes on a real Redis fetch one job in any order of steps: answers arrive late, locks are lost, nodes abandon
/// fetches or work without Redis, and the job progresses, disappears, returns and is purged. No node may ever go back
/// to an older state.
/// </summary>
[Trait("Redis", "any")]
public sealed class InterleavingTests(RedisServer redis)
{
    private const int Nodes = 3, Batch = 1000;

    [Fact]
    public async Task No_node_goes_back_to_an_older_state_in_any_order_of_events()
    {
        for (var done = 0; done < Cases.Many; done += Batch)
        {
            using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
            var nodes = new Node[Nodes];
            for (var i = 0; i < Nodes; i++) nodes[i] = await Node.StartAsync(redis.ConnectionString, services);
            await Gen.Select(AnyEvent, Gen.Int[0, Nodes - 1]).Array[4, 40]
                .SampleAsync(events => RunAsync(nodes, events), iter: Batch, threads: 128,
                    print: events => string.Join(", ", events.Select(one => $"{one.Item1} {one.Item2}")));
            foreach (var node in nodes) node.Dispose();
        }
    }

    private enum Event
    {
        /// <summary>
        /// A node takes its next step: takes the fetch lock, asks the upstream, or stores the answer.
        /// </summary>
        Step,

        /// <summary>A node takes its next step without Redis.</summary>
        StepAlone,
        Abandon,
        LoseLock,
        JobProgresses,

        /// <summary>The upstream loses the job, or has it again.</summary>
        JobIsGoneOrBack,
        Purge,
        LearnOfPurge,
    }

    private static readonly Gen<Event> AnyEvent = Gen.Frequency(
        (12, Gen.Const(Event.Step)), (3, Gen.Const(Event.StepAlone)), (1, Gen.Const(Event.Abandon)),
        (3, Gen.Const(Event.LoseLock)),
        (3, Gen.Const(Event.JobProgresses)), (1, Gen.Const(Event.JobIsGoneOrBack)), (1, Gen.Const(Event.Purge)),
        (2, Gen.Const(Event.LearnOfPurge)));

    private static async Task RunAsync(Node[] nodes, (Event What, int Node)[] events)
    {
        var history = new JobHistory(nodes);
        foreach (var (what, i) in events)
        {
            await (what switch
            {
                Event.Step => history.StepAsync(i),
                Event.StepAlone => history.StepAloneAsync(i),
                Event.Abandon => history.AbandonAsync(i),
                Event.LoseLock => history.LoseLockAsync(),
                Event.JobProgresses => history.ProgressAsync(),
                Event.JobIsGoneOrBack => history.GoOrComeBackAsync(),
                Event.Purge => history.PurgeAsync(i),
                _ => history.LearnOfPurgeAsync(i),
            });
        }
    }

    /// <summary>The parts of one node that concern cached jobs.</summary>
    internal sealed class Node : IDisposable
    {
        private readonly RedisConnection _away;
        private readonly RedisCache _finishedJobs;

        private Node(string connectionString, IServiceProvider services)
        {
            var meters = services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
            var (options, metrics) = (Fixed.Of(new JobsOptions()), new RedisMetrics(meters));
            Redis = Fixed.Redis(connectionString);
            _finishedJobs = Fixed.Cache(Redis);
            var clock = new SteadyClock(TimeProvider.System);
            Memory = new JobMemory(options, Purges, new CacheMetrics(meters), clock);
            Shared = new SharedJobs(Redis, _finishedJobs, new OrphanedLocks(Redis), Purges, metrics, clock);
            var pacing = new Pacing(options, clock);
            Cache = new JobCache(Memory, Shared, pacing, options);
            _away = Fixed.Redis(connectionString);
            CacheAlone = new JobCache(
                Memory, new SharedJobs(_away, _finishedJobs, new OrphanedLocks(_away), Purges, metrics, clock),
                pacing, options);
            // Reads the stored values, whether purged or not.
            Observer = new SharedJobs(Redis, _finishedJobs, new OrphanedLocks(Redis), new PurgeMarks(), metrics, clock);
        }

        public PurgeMarks Purges { get; } = new();

        public RedisConnection Redis { get; }

        public JobMemory Memory { get; }

        public SharedJobs Shared { get; }

        public SharedJobs Observer { get; }

        public JobCache Cache { get; }

        public JobCache CacheAlone { get; }

        public static async Task<Node> StartAsync(string connectionString, IServiceProvider services)
        {
            var node = new Node(connectionString, services);
            await node.Redis.AskAsync<object>(async database => await database.PingAsync(), node.Redis.NewTimeBudget());
            node.Redis.MarkAvailable();
            return node;
        }

        public void Dispose()
        {
            Memory.Dispose();
            _finishedJobs.Dispose();
            Redis.Dispose();
            _away.Dispose();
        }
    }
}
