// A consumer of republished routes. Their schemas are circular and still typed.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Node = components["schemas"]["Node"];

declare const process: { argv: string[] };

const [baseUrl, key] = process.argv.slice(2);
if (baseUrl === undefined || key === undefined) throw new Error("Give an address and a key.");

const client = createClient<paths>({ baseUrl, headers: { "X-Api-Key": key } });

function depth(node: Node): number {
  return 1 + Math.max(0, ...(node.children ?? []).map(depth));
}

const workflow = await client.GET("/v0/workflows/{workflow_id}", { params: { path: { workflow_id: "w-1" } } });
if (workflow.data === undefined) throw new Error(workflow.error.type);
const note: string | null | undefined = workflow.data.note;
console.log(`workflow ${workflow.data.id} note=${note} depth=${workflow.data.root === undefined ? 0 : depth(workflow.data.root)}`);

const scenes = await client.GET("/v0/scenes", { params: { query: { page: 2, tag: "north" } } });
console.log(`scenes ${scenes.data?.map((scene) => scene.kind).join()}`);

const jobs = await client.GET("/v0/workflows/{id}/jobs", { params: { path: { id: "gone" } } });
console.log(`jobs ${jobs.error?.type} ${jobs.error?.error?.code}`);
