namespace Gateway.Edge;

/// <summary>Names response headers that pages of other origins may read, beside those of a job.</summary>
internal interface IExposesHeaders
{
    IEnumerable<string> ResponseHeaders { get; }
}
