using Gateway.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Configuration;

/// <summary>Configuration on the disk that changes while the gateway runs.</summary>
[Trait("Kind", "Unit")]
public sealed class DiskTests : IDisposable
{
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(7), After = TimeSpan.FromSeconds(9);

    private readonly string _folder = Directory.CreateTempSubdirectory("gateway").FullName;
    private readonly Lines _lines = new();
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);

    private string Json => Path.Combine(_folder, "settings.json");

    private string Secrets => Path.Combine(_folder, "secrets");

    private string Secret => Path.Combine(Secrets, "Jobs__SettleTime");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_change_applies_when_two_looks_see_the_same_content()
    {
        using var live = Start();

        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:08"}}""");
        live.CheckDisk();
        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:09"}}""");
        live.CheckDisk();
        Assert.Equal(Before, live.Current.Jobs.RunningLifetime);

        live.CheckDisk();
        Assert.Equal(After, live.Current.Jobs.RunningLifetime);
        Assert.Empty(live.Errors);
    }

    [Fact]
    public void A_file_that_changes_all_the_time_keeps_a_change_back_only_for_some_looks()
    {
        using var live = Start();
        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:09"}}""");

        for (var look = 0; look < 20; look++)
        {
            Write(Path.Combine(Secrets, "heartbeat"), $"{look}");
            live.CheckDisk();
        }

        Assert.Equal(After, live.Current.Jobs.RunningLifetime);
    }

    [Fact]
    public void A_file_system_that_does_not_answer_is_reported_until_it_answers()
    {
        using var live = Start();

        live.NoteDelay();
        live.NoteDelay();
        Assert.Equal("the file system does not answer", Assert.Single(live.Errors));
        Assert.Single(_lines.Errors);

        live.CheckDisk();
        Assert.Empty(live.Errors);
    }

    [Theory]
    [InlineData("""{"Jobs":{"RunningLifetime":"00:00:08" """, "is not valid JSON at line 1")]
    [InlineData("""{"Jobs":{"A":1,"a":1}}""", "A duplicate key 'Jobs:a' was found")]
    [InlineData("[]", "Top-level JSON element must be an object")]
    [InlineData("", "is not valid JSON at line 1")]
    [InlineData(null, "the file is gone")]
    public void A_wrong_file_is_named_and_changes_nothing(string? content, string what)
    {
        using var live = Start();

        if (content is null) File.Delete(Json);
        else Write(Json, content);
        Look(live);

        Assert.Equal(Before, live.Current.Jobs.RunningLifetime);
        Assert.StartsWith($"{Json}: {what}", Assert.Single(live.Errors), StringComparison.Ordinal);
        Assert.Contains(live.Errors[0], Assert.Single(_lines.Errors), StringComparison.Ordinal);

        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:09"}}""");
        Look(live);

        Assert.Equal(After, live.Current.Jobs.RunningLifetime);
        Assert.Empty(live.Errors);
    }

    [Fact]
    public void The_content_in_force_is_right_again_after_a_wrong_one()
    {
        using var live = Start();
        var content = File.ReadAllText(Json);

        Write(Json, "{");
        Look(live);
        Assert.NotEmpty(live.Errors);
        Write(Json, content);
        Look(live);

        Assert.Empty(live.Errors);
        Assert.Equal(Before, live.Current.Jobs.RunningLifetime);
    }

    [Fact]
    public void An_error_in_one_file_keeps_the_change_of_another_back()
    {
        using var live = Start();

        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:09"}}""");
        Write(Path.Combine(Secrets, "jobs__settletime"), "00:00:01");
        Look(live);

        Assert.Equal(Before, live.Current.Jobs.RunningLifetime);
        Assert.Contains("has the same key as", Assert.Single(live.Errors), StringComparison.Ordinal);

        File.Delete(Secret);
        Look(live);

        Assert.Equal(After, live.Current.Jobs.RunningLifetime);
        Assert.Equal(TimeSpan.FromSeconds(1), live.Current.Jobs.SettleTime);
    }

    [Fact]
    public void A_wrong_value_keeps_all_settings_of_its_file_back()
    {
        var configuration = Open();
        using var live = new LiveConfiguration<GatewayOptions>(configuration, _lines, _clock);

        Write(Json, """{"Jobs":{"RunningLifetime":"soon"},"Logging":{"LogLevel":{"Default":"Trace"}}}""");
        Look(live);

        Assert.StartsWith("Jobs:RunningLifetime: ", Assert.Single(live.Errors), StringComparison.Ordinal);
        Assert.Null(configuration["Logging:LogLevel:Default"]);
    }

    [Fact]
    public void The_error_of_a_file_and_the_errors_of_values_are_reported_at_once()
    {
        using var live = Start();

        Write(Json, "{");
        Write(Secret, "soon");
        Look(live);

        Assert.Equal([Json, "Jobs:SettleTime"], live.Errors.Select(line => line.Split(": ")[0]));
    }

    [Fact]
    public void A_value_that_cannot_be_converted_is_not_logged_because_it_may_be_a_secret()
    {
        using var live = Start();
        Write(Secret, "a-credential-in-the-wrong-file");
        Look(live);
        Assert.EndsWith(
            "Jobs:SettleTime: cannot be converted to TimeSpan", Assert.Single(_lines.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_configuration_is_tried_again_because_a_file_that_it_names_may_appear()
    {
        var credential = Path.Combine(_folder, "credential");
        using var live = Start();
        Write(Json, $$"""{"Upstream":{"Accounts":{"other":{"CredentialFile":"{{credential}}"} } } }""");
        Look(live);
        Assert.StartsWith("Upstream:Accounts:other:CredentialFile: ", Assert.Single(live.Errors),
            StringComparison.Ordinal);

        _clock.Advance(TimeSpan.FromSeconds(5));
        Look(live);
        Assert.Single(_lines.Errors);

        Write(credential, "another-credential");
        _clock.Advance(TimeSpan.FromSeconds(5));
        Look(live);

        Assert.Empty(live.Errors);
        Assert.Equal(credential, live.Current.Upstream.Accounts["other"].CredentialFile);
    }

    [Fact]
    public void A_refused_configuration_is_logged_each_minute()
    {
        using var live = Start();
        Write(Json, "{");
        Look(live);
        Assert.Single(_lines.Errors);

        _clock.Advance(TimeSpan.FromSeconds(59));
        Look(live);
        Assert.Single(_lines.Errors);

        _clock.Advance(TimeSpan.FromSeconds(1));
        Look(live);
        Assert.Equal(2, _lines.Errors.Count);
    }

    [Fact]
    public void The_time_of_the_configuration_in_force_is_that_of_the_last_change()
    {
        using var live = Start();
        var start = live.AppliedAt;

        _clock.Advance(TimeSpan.FromHours(1));
        Write(Json, "{");
        Look(live);
        Assert.Equal(start, live.AppliedAt);

        Write(Json, """{"Jobs":{"RunningLifetime":"00:00:09"}}""");
        Look(live);
        Assert.Equal(start + TimeSpan.FromHours(1), live.AppliedAt);
    }

    [Fact]
    public void A_value_in_a_file_of_its_own_may_be_removed()
    {
        using var live = Start();
        Write(Path.Combine(Secrets, "Jobs__RunningLifetime"), "00:00:09");
        Look(live);
        Assert.Equal(After, live.Current.Jobs.RunningLifetime);

        File.Delete(Path.Combine(Secrets, "Jobs__RunningLifetime"));
        Look(live);

        Assert.Equal(Before, live.Current.Jobs.RunningLifetime);
        Assert.Empty(live.Errors);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_directory_without_its_files_changes_nothing(bool isEmpty)
    {
        using var live = Start();

        Directory.Delete(Secrets, recursive: true);
        if (isEmpty) Directory.CreateDirectory(Secrets);
        Look(live);

        Assert.Equal(TimeSpan.FromSeconds(3), live.Current.Jobs.SettleTime);
        Assert.Equal($"{Secrets}: all files of the directory are gone", Assert.Single(live.Errors));
    }

    [Fact]
    public void A_directory_may_appear_while_the_gateway_runs()
    {
        Write(Json, "{}");
        using var live = Start();

        Directory.CreateDirectory(Secrets);
        Write(Secret, "00:00:04");
        Look(live);

        Assert.Equal(TimeSpan.FromSeconds(4), live.Current.Jobs.SettleTime);
    }

    [Fact]
    public void Subdirectories_and_names_with_a_dot_in_front_are_no_settings()
    {
        using var live = Start();

        Directory.CreateDirectory(Path.Combine(Secrets, "kubernetes.io"));
        Write(Path.Combine(Secrets, ".Jobs__RunningLifetime"), "soon");
        Write(Path.Combine(Secrets, "ignore.Jobs__RunningLifetime"), "soon");
        Look(live);

        Assert.Empty(live.Errors);
    }

    [Fact]
    public void The_start_reports_a_wrong_file_and_every_wrong_value_that_is_set()
    {
        Directory.CreateDirectory(Secrets);
        Write(Secret, "soon");
        Write(Path.Combine(Secrets, "Jobs__StaleIfError"), "9.00:00:00");
        Write(Json, "{");
        // The file with the credential is wrong, so its absence is no error of its own.
        var configuration = new ConfigurationBuilder()
            .Add(new JsonFileSource(Json)).Add(new KeyPerFileSource(Secrets)).Build();

        var wrong = Assert.Throws<OptionsValidationException>(
            () => new LiveConfiguration<GatewayOptions>(configuration, _lines, _clock));

        Assert.Equal([Json, "Jobs:SettleTime", "Jobs:StaleIfError"],
            wrong.Failures.Select(line => line.Split(": ")[0]));
    }

    private static void Look(LiveConfiguration<GatewayOptions> live)
    {
        live.CheckDisk();
        live.CheckDisk();
    }

    private LiveConfiguration<GatewayOptions> Start() => new(Open(), _lines, _clock);

    private IConfigurationRoot Open()
    {
        if (!File.Exists(Json))
        {
            Write(Json, """{"Jobs":{"RunningLifetime":"00:00:07"}}""");
            Directory.CreateDirectory(Secrets);
            Write(Secret, "00:00:03");
        }
        return new ConfigurationBuilder()
            .AddInMemoryCollection([new("Upstream:Accounts:default:Credential", "a-credential")])
            .Add(new JsonFileSource(Json)).Add(new KeyPerFileSource(Secrets)).Build();
    }

    private static void Write(string file, string content) => File.WriteAllText(file, content);

    private sealed class Lines : ILogger<LiveConfiguration<GatewayOptions>>
    {
        public List<string> Errors { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Error) Errors.Add(formatter(state, exception));
        }
    }
}
