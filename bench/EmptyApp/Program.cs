// A minimal ASP.NET Core application, whose start bench/side-by-side compares with the gateway's.
var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/health/live", () => "Healthy");
app.Run();
