/*
 * Imports go downward only. What the table does not allow is a defect, however convenient.
 *
 *     main > cli > daemon > receiver, delivery, web, setup, service > dimse, spool, routing, transcode > ul
 *          > dicom, config, log, metrics, clock
 *
 * A folder may import from itself and from every layer below its own, but for the exceptions in `FORBIDDEN`.
 */

import assert from "node:assert/strict";
import { relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { filesIn } from "./helpers/scratch.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

const LAYERS: readonly (readonly string[])[] = [
  ["main"],
  ["cli"],
  ["daemon"],
  ["receiver", "delivery", "web", "setup", "service"],
  ["dimse", "spool", "routing", "transcode"],
  ["ul"],
  ["dicom", "config", "log", "metrics", "clock"],
];

/** Downward, and still not allowed: the spool knows files, not networks. */
const FORBIDDEN: ReadonlySet<string> = new Set(["spool > ul"]);

interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** `src/ul/pdu.ts` belongs to `ul`, `src/log.ts` and `src/log/line.ts` to `log`, `main.ts` to `main`. */
function roomOf(specifier: string): string | undefined {
  if (!specifier.startsWith("file:")) return undefined;
  return /^(?:src\/)?([a-z_]+)(?:\/|\.ts$)/.exec(pathOf(specifier))?.[1];
}

function pathOf(specifier: string): string {
  return relative(ROOT, fileURLToPath(specifier)).replaceAll("\\", "/");
}

function levelOf(room: string): number {
  return LAYERS.findIndex((layer) => layer.includes(room));
}

async function graphOf(entry: string): Promise<ModuleGraph> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  assert.ok(success, `deno info ${entry} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Every import of the program from one of its files to another. */
async function imports(): Promise<[from: string, to: string][]> {
  const edges: [string, string][] = [];
  const seen = new Set<string>();
  // The files that no other imports (a worker, a script) are entries of their own.
  for (const entry of ["main.ts", ...filesIn(`${ROOT}src`)]) {
    const specifier = pathToFileURL(resolve(ROOT, entry)).href;
    if (!entry.endsWith(".ts") || seen.has(specifier)) continue;
    for (const module of (await graphOf(entry)).modules) {
      assert.equal(module.error, undefined, `${module.specifier}: ${module.error}`);
      if (seen.has(module.specifier)) continue;
      seen.add(module.specifier);
      for (const { code, type } of module.dependencies ?? []) {
        const target = code?.specifier ?? type?.specifier;
        if (target?.startsWith("file:")) edges.push([module.specifier, target]);
      }
    }
  }
  return edges;
}

Deno.test("imports go from a layer to a lower one only", async () => {
  const wrong: string[] = [];
  const edges = await imports();
  for (const [from, to] of edges) {
    const [importer, imported] = [roomOf(from), roomOf(to)];
    const arrow = `${pathOf(from)} > ${pathOf(to)}`;
    if (importer === undefined || imported === undefined) {
      // deno.json for the version is no layer.
      if (!to.endsWith(".json")) wrong.push(`${arrow}: neither is part of a layer`);
      continue;
    }
    if (importer === imported) continue;
    const [above, below] = [levelOf(importer), levelOf(imported)];
    if (above < 0) wrong.push(`${arrow}: ${importer} has no layer`);
    else if (below < 0) wrong.push(`${arrow}: ${imported} has no layer`);
    else if (above >= below) wrong.push(`${arrow}: ${importer} is not above ${imported}`);
    else if (FORBIDDEN.has(`${importer} > ${imported}`)) wrong.push(`${arrow}: not allowed`);
  }
  assert.deepEqual(wrong, []);
  // A test that looks at nothing proves nothing.
  assert.ok(edges.length > 100, `only ${edges.length} imports were found`);
});
