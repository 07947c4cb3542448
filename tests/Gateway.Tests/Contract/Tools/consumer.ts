// A consumer of the contract. It compiles under the strictest settings and prints each response.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Job = components["schemas"]["Job"];
type Problem = components["schemas"]["ProblemBody"];

declare const process: { argv: string[] };

const [baseUrl, key, ...jobs] = process.argv.slice(2);
if (baseUrl === undefined || key === undefined) throw new Error("Give an address, a key, and workflow/job pairs.");

const client = createClient<paths>({ baseUrl, headers: { "X-Api-Key": key } });

function sayJob(job: Job, retryAfter: string | null): string {
  const status: string | null | undefined = job.status;
  const tasks: number = job.tasks?.length ?? 0;
  // A raw field has an unknown type.
  const spec: unknown = job.spec;
  return `${status} tasks=${tasks > 0} spec=${typeof spec} retryAfter=${retryAfter !== null}`;
}

function sayProblem(problem: Problem, retryAfter: string | null): string {
  const violated: string = problem["violated-policies"]?.join() ?? "";
  return `${problem.type} ${violated} retryAfter=${retryAfter !== null}`;
}

for (const job of jobs) {
  const [workflow_id = "", job_id = ""] = job.split("/");
  const { data, error, response } = await client.GET("/v0/workflows/{workflow_id}/jobs/{job_id}", { params: { path: { workflow_id, job_id } } });
  const retryAfter = response.headers.get("Retry-After");
  console.log(`${job}: ${response.status} ${data === undefined ? sayProblem(error, retryAfter) : sayJob(data, retryAfter)}`);
}
