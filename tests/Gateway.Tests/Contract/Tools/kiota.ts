// A consumer of the client that Kiota generates. It compiles under the strictest settings and prints each response.
import { AnonymousAuthenticationProvider, type ApiError } from "@microsoft/kiota-abstractions";
import { FetchRequestAdapter, HeadersInspectionOptions, RetryHandlerOptions } from "@microsoft/kiota-http-fetchlibrary";
import { createGatewayClient } from "./client/gatewayClient.js";
import type { Job, ProblemBody } from "./client/models/index.js";

declare const process: { argv: string[] };

const [baseUrl, key, ...jobs] = process.argv.slice(2);
if (baseUrl === undefined || key === undefined) throw new Error("Give an address, a key, and workflow/job pairs.");

const adapter = new FetchRequestAdapter(new AnonymousAuthenticationProvider());
adapter.baseUrl = baseUrl;
const client = createGatewayClient(adapter);

let etag = "";

async function ask(workflow: string, job: string, validator: string): Promise<string> {
  const inspected = new HeadersInspectionOptions({ inspectResponseHeaders: true });
  try {
    const found: Job | undefined = await client.v0.workflows.byWorkflow_id(workflow).jobs.byJob_id(job).get({
      headers: validator === "" ? { "X-Api-Key": key! } : { "X-Api-Key": key!, "If-None-Match": validator },
      // By default, Kiota waits for Retry-After and asks again, three times.
      options: [inspected, new RetryHandlerOptions({ maxRetries: 0 })],
    });
    const headers = inspected.getResponseHeaders();
    // The client returns undefined for a 304.
    if (found === undefined) return "unchanged";
    etag = [...(headers.get("ETag") ?? [])].join();
    const tasks: number = found.tasks?.length ?? 0;
    const estimate: number | null | undefined = found.estimatedDuration;
    return `${found.status} tasks=${tasks} estimate=${estimate} again=${headers.has("Retry-After")}`;
  } catch (error) {
    const problem = error as ApiError & ProblemBody;
    const violated: string = problem.violatedPolicies?.join() ?? "";
    const again = Object.keys(problem.responseHeaders ?? {}).some(name => name.toLowerCase() === "retry-after");
    return `${problem.responseStatusCode} ${problem.type} "${problem.message}" policies=${violated} again=${again}`;
  }
}

for (const [index, job] of jobs.entries()) {
  const [workflow = "", id = ""] = job.split("/");
  console.log(`${job}: ${await ask(workflow, id, index === 1 ? etag : "")}`);
}
