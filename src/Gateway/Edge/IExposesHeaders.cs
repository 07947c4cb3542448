namespace Gateway.Edge;

/// <summary>Answers with headers that pages of other origins may read, beside those of a job.</summary>
internal interface IExposesHeaders
{
    IEnumerable<string> ResponseHeaders { get; }
}
