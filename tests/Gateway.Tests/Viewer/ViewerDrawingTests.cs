using System.Text.Json;
using Gateway.Tests.Infrastructure;

namespace Gateway.Tests.Viewer;

/// <summary>Tests in a browser how the viewer draws the tasks of a job and shows its values.</summary>
public sealed class ViewerDrawingTests(Browser browser)
{
    [Fact]
    public async Task A_finished_job_is_drawn_at_each_width()
    {
        await using var world = await World.StartAsync();
        await using var view = await ViewerPage.ShowAsync(browser, world, "finished-1.wide", "Done");
        await AssertDrawnAsync(view);
        var marks = await view.Page.Locator(".axis li").CountAsync();
        Assert.True(marks >= 4, $"The time line has {marks} marks.");

        await view.Page.SetViewportSizeAsync(360, 740);
        await view.Page.Locator(".node.narrow").First.WaitForAsync();
        await AssertDrawnAsync(view);
        // A drawing of this size needs no scrolling of its own.
        Assert.True(await view.Page.EvaluateAsync<bool>("""
            () => ['graph', 'timeline'].map(id => document.getElementById(id))
              .every(one => one.scrollHeight <= one.clientHeight)
            """));
    }

    [Fact]
    public async Task A_job_of_500_tasks_is_drawn()
    {
        await using var world = await World.StartAsync();
        var tasks = Enumerable.Range(0, 500).Select(n => new
        {
            name = $"task-{n}",
            status = n < 200 ? "completed" : "running",
            progress = 50,
            block_inf_start_time = "2025-01-01T00:00:00Z",
            depends_on = n < 20 ? Array.Empty<string>() : [$"task-{n - 20}", $"task-{n - (n % 20) - 1}"],
        });
        ViewerPage.Answer(world, "many", JsonSerializer.Serialize(
            new { id = "many", workflow_id = "survey-1", status = "running", progress = "40", tasks }));
        await using var view = await ViewerPage.OpenAsync(await browser.OpenAsync(), world.Gateway.Address, "many");
        await view.Page.SetViewportSizeAsync(360, 740);
        await view.EnterKeyAsync();
        await view.StateAsync("Running");

        Assert.Equal(500, await view.Page.Locator(".node").CountAsync());
        Assert.Equal(500, await view.Page.Locator(".rows li").CountAsync());
        // The drawing and the time line begin where the work is.
        foreach (var (place, task) in ((string, string)[])[("#graph", ".node"), ("#timeline", ".rows li")])
        {
            Assert.True(await view.Page.EvaluateAsync<bool>("""
                ([place, task]) => {
                  const view = document.querySelector(place).getBoundingClientRect();
                  const first = document.querySelector(`${task}[data-kind=running]`).getBoundingClientRect();
                  return first.left >= view.left && first.right <= view.right
                    && first.top >= view.top && first.bottom <= view.bottom;
                }
                """, new[] { place, task }), place);
        }
        await view.AssertFitsAsync();
        view.AssertQuiet();
    }

    [Fact]
    public async Task A_long_integer_keeps_its_digits()
    {
        await using var world = await World.StartAsync();
        ViewerPage.Answer(world, "long",
            """{"id":"long","workflow_id":"survey-1","status":"running","spec":{"scene":12345678901234567890}}""");
        await using var view = await ViewerPage.ShowAsync(browser, world, "long", "Running");
        await view.Page.Locator("#spec summary").PressEnterAsync();
        Assert.Equal("{\n  \"scene\": 12345678901234567890\n}", await view.TextAsync("#spec pre"));
    }

    [Fact]
    public async Task A_task_without_an_end_ends_with_its_job()
    {
        await using var world = await World.StartAsync();
        ViewerPage.Answer(world, "cut", """
            {"id":"cut","workflow_id":"survey-1","status":"cancelled","created_at":"2025-01-01T00:00:00Z",
             "finished_at":"2025-01-01T01:00:00Z",
             "tasks":[{"name":"one","status":"running","progress":50,"block_inf_start_time":"2025-01-01T00:30:00Z"}]}
            """);
        await using var view = await ViewerPage.ShowAsync(browser, world, "cut", "Stopped");
        Assert.Equal("50% · 30 min", await view.Page.Locator(".node .brief").InnerTextAsync());
        Assert.Equal("30 min", await view.Page.Locator(".rows .length").InnerTextAsync());
    }

    [Fact]
    public async Task The_chosen_task_stays_when_the_tasks_change_their_order()
    {
        await using var world = await World.StartAsync();
        ViewerPage.Answer(world, "turns", Tasks("first", "second"));
        await using var view = await ViewerPage.ShowAsync(browser, world, "turns", "Running");
        await view.Node("second").PressEnterAsync();
        world.Upstream.Faults.Clear();
        ViewerPage.Answer(world, "turns", Tasks("second", "third", "first"));
        await view.Node("third").WaitForAsync();
        Assert.Equal("second", await view.TextAsync("#task-title"));
        Assert.Equal("true", await view.Node("second").GetAttributeAsync("aria-pressed"));

        static string Tasks(params string[] names) => JsonSerializer.Serialize(new
        {
            id = "turns",
            workflow_id = "survey-1",
            status = "running",
            tasks = names.Select(name => new { name, status = "running" }),
        });
    }

    private static async Task AssertDrawnAsync(ViewerPage view)
    {
        await view.Page.Locator(".node[data-kind=done]").Nth(11).WaitForAsync();
        Assert.DoesNotContain("", await view.Page.Locator(".node .brief").AllInnerTextsAsync());
        Assert.Equal(12, await view.Page.Locator(".node use[href='#icon-done']").CountAsync());
        // The texts of the axis stand apart.
        Assert.True(await view.Page.EvaluateAsync<bool>("""
            () => [...document.querySelectorAll('.axis span')].map(one => one.getBoundingClientRect())
              .every((one, n, all) => n === 0 || one.left >= all[n - 1].right)
            """));
    }
}
