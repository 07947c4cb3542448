using System.Text.Json;
using System.Text.Json.Serialization;

namespace Simulator;

/// <summary>The endpoints under <c>/_simulator</c>, for a person with curl. They need no credential.</summary>
internal static class Control
{
    public const string Root = "/_simulator";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        WriteIndented = true,
    };

    public static void Map(
        IEndpointRouteBuilder app, Ledger ledger, Faults faults, Lives lives, Credentials credentials)
    {
        RouteGroupBuilder control = app.MapGroup(Root);
        control.MapGet("", context => TextAsync(context, 200, Guide.Text));

        control.MapGet("/calls", context => context.Response.WriteAsJsonAsync(
            new { ledger.Total, Jobs = ledger.PerJob, ledger.Unexpected }, Options));
        control.MapDelete("/calls", context => Done(context, ledger.Clear));

        control.MapPost("/faults", context => AddFaultAsync(context, faults));
        control.MapDelete("/faults", context => Done(context, faults.Clear));

        control.MapPut("/lives", context => SetLifeAsync(context, lives));
        control.MapDelete("/lives", context => Done(context, lives.Clear));

        control.MapPut("/credentials", context => ReplaceCredentialsAsync(context, credentials));
        control.Map("/{**rest}", context => TextAsync(context, 404, $"No such endpoint; GET {Root} lists them.\n"));
    }

    private static async Task AddFaultAsync(HttpContext context, Faults faults)
    {
        (Fault? fault, string? problem) = await ReadAsync<Fault>(context);
        problem ??= fault!.Problem();
        if (problem is null)
            await Done(context, () => faults.Add(fault!));
        else
            await TextAsync(context, 400, $"{problem}\nKinds: {string.Join(", ", Enum.GetNames<FaultKind>())}.\n");
    }

    private static async Task SetLifeAsync(HttpContext context, Lives lives)
    {
        (LifeChange? change, string? problem) = await ReadAsync<LifeChange>(context);
        problem ??= change!.Problem();
        if (problem is null)
            await Done(context, () => lives.Set(change!.Job, change.Stage));
        else
            await TextAsync(context, 400, $"{problem}\nStages: {string.Join(", ", Enum.GetNames<LifeStage>())}.\n");
    }

    private static async Task ReplaceCredentialsAsync(HttpContext context, Credentials credentials)
    {
        (string[]? accepted, string? problem) = await ReadAsync<string[]>(context);
        if (problem is null && accepted!.Any(string.IsNullOrWhiteSpace))
            problem = "A credential must not be empty.";
        if (problem is null)
            await Done(context, () => credentials.Replace(accepted!));
        else
            await TextAsync(context, 400, $"{problem}\nExpected a JSON array of strings.\n");
    }

    private static async Task<(T? Value, string? Problem)> ReadAsync<T>(HttpContext context)
        where T : class
    {
        try
        {
            T? value = await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Options, context.RequestAborted);
            return (value, value is null ? "null is not accepted." : null);
        }
        catch (JsonException exception)
        {
            return (null, exception.Message);
        }
    }

    private static Task Done(HttpContext context, Action action)
    {
        action();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static Task TextAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text, context.RequestAborted);
    }
}
