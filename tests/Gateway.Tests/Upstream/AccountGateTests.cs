using Gateway.Jobs;
using Gateway.Tests.Infrastructure;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Upstream;

/// <summary>Calls that wait on one node.</summary>
public sealed class AccountGateTests
{
    private const string Account = "Upstream:Accounts:default:";

    [Fact]
    public async Task Who_waits_for_less_than_a_timer_can_tell_leaves_the_processor_to_others()
    {
        await using var world = await World.StopClockAsync((Account + "RequestsPerSecond", "2000"), (Account + "Burst", "1"));
        var gate = world.Gateway.Services.GetRequiredService<AccountGates>().Of("default");
        Assert.NotNull((await EnterAsync(gate)).Permit);

        var entering = Task.Factory.StartNew(() => EnterAsync(gate), World.Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var isFree = await Task.WhenAny(entering, Task.Delay(TimeSpan.FromSeconds(2), World.Cancellation)) == entering;
        world.Clock!.Advance(TimeSpan.FromMilliseconds(1));

        Assert.NotNull((await await entering).Permit);
        Assert.True(isFree);
    }

    private static Task<Entry> EnterAsync(AccountGate gate)
    {
        Assert.True(JobAddress.TryCreate("survey-1", $"{Guid.NewGuid():N}", out var job));
        return gate.EnterAsync(CallRank.FirstRead, "mapping", job, TimeSpan.FromSeconds(2)).AsTask();
    }
}
