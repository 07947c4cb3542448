// A consumer of the client that Hey API generates. It compiles under the strictest settings and prints each response.
import { createClient } from "./client/client/index.js";
import { getJobById } from "./client/sdk.gen.js";
import type { Job, ProblemBody } from "./client/types.gen.js";

declare const process: { argv: string[] };

const [baseUrl, key, ...jobs] = process.argv.slice(2);
if (baseUrl === undefined || key === undefined) throw new Error("Give an address, a key, and workflow/job pairs.");

// The client asks for a credential for each security scheme, and sends all that it gets. The gateway takes exactly one.
const client = createClient({ baseUrl, auth: ({ scheme }) => scheme === "bearer" ? key : undefined });

let etag = "";

function sayJob(job: Job, again: boolean): string {
  const tasks: number = job.tasks?.length ?? 0;
  return `${job.status} tasks=${tasks} estimate=${job.estimated_duration} again=${again}`;
}

function sayProblem(problem: ProblemBody, again: boolean): string {
  const violated: string = problem["violated-policies"]?.join() ?? "";
  return `${problem.status} ${problem.type} "${problem.detail}" policies=${violated} again=${again}`;
}

for (const [index, job] of jobs.entries()) {
  const [workflow_id = "", job_id = ""] = job.split("/");
  const { data, error, response } = await getJobById({
    client,
    path: { workflow_id, job_id },
    ...(index === 1 ? { headers: { "If-None-Match": etag } } : {}),
  });
  if (response === undefined) throw new Error(`There is no answer: ${error}`);
  const again = response.headers.has("Retry-After");
  etag = response.headers.get("ETag") ?? "";
  console.log(`${job}: ${
    response.status === 304 ? "unchanged" : data !== undefined ? sayJob(data, again) : sayProblem(error as ProblemBody, again)}`);
}
