using Gateway.Watching;

namespace Gateway.Tests.Watching;

[Trait("Kind", "Unit")]
public sealed class VisitQueueTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    private readonly VisitQueue<string> _queue = new();

    [Fact]
    public void A_new_item_is_due_at_once_and_stays_due_until_it_is_moved()
    {
        _queue.Add("a");
        Assert.Equal(["a"], _queue.Due(Now));
        Assert.Equal(["a"], _queue.Due(Now));

        _queue.Move("a", Now.AddSeconds(15));
        Assert.Empty(_queue.Due(Now.AddSeconds(14)));
        Assert.Equal(["a"], _queue.Due(Now.AddSeconds(15)));
    }

    [Fact]
    public void Items_are_due_in_the_order_of_their_visits()
    {
        foreach (var item in (string[])["a", "b", "c", "d"]) _queue.Add(item);
        _queue.Move("a", Now.AddSeconds(3));
        _queue.Move("b", Now.AddSeconds(1));
        _queue.Move("c", Now.AddSeconds(2));
        _queue.Move("d", Now.AddSeconds(2));
        Assert.Equal(["b", "c", "d"], _queue.Due(Now.AddSeconds(2)));
    }

    [Fact]
    public void A_removed_item_is_not_kept_even_if_a_visit_ends_afterwards()
    {
        _queue.Add("a");
        _queue.Remove("a");
        _queue.Move("a", Now);
        Assert.Empty(_queue.All);
        Assert.Empty(_queue.Due(Now));
        _queue.Remove("a");
    }
}
