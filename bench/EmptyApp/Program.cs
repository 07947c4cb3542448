// The least that ASP.NET Core starts with, for bench/side-by-side to compare the gateway's start with.
var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/health/live", () => "Healthy");
app.Run();
