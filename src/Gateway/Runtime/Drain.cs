namespace Gateway.Runtime;

/// <summary>
/// Whether this node will stop soon. It then asks load balancers and callers to go elsewhere, and still answers them.
/// </summary>
internal sealed class Drain
{
    private volatile bool _isUnderWay;

    public bool IsUnderWay => _isUnderWay;

    public void Begin() => _isUnderWay = true;
}
