/*
 * The limits in full length: what the tests beside this file do in small, with the figures a release is to hold.
 *
 *     deno task test:limits [--memory] [--large] [--associations] [--disk-full] [--backlog] [--fds]
 *                           [--rounds N] [--entries N] [--seed N] [--folder DIR]
 *
 * Without a choice everything runs. Needs Linux, 25 GB of room for --memory, and the right to mount for --disk-full.
 * Prints a line for each part and one of figures at the end; the exit code is 1 where a limit does not hold.
 */

import { parseArgs } from "node:util";
import { makeSmallDisk, type Shortage } from "../helpers/small_disk.ts";
import { startOnBacklog } from "./backlog.ts";
import { runShortOfFiles } from "./descriptors.ts";
import { fillAgainAndAgain } from "./disk_full.ts";
import { openAndClose, streamThrough } from "./memory.ts";

const HOUR_MS = 3_600_000;

const { values: options } = parseArgs({
  options: {
    "memory": { type: "boolean" },
    "large": { type: "boolean" },
    "associations": { type: "boolean" },
    "disk-full": { type: "boolean" },
    "backlog": { type: "boolean" },
    "fds": { type: "boolean" },
    "rounds": { type: "string", default: "100" },
    "entries": { type: "string", default: "250000" },
    "seed": { type: "string", default: "1" },
    "folder": { type: "string" },
  },
});

type Part = "memory" | "large" | "associations" | "disk-full" | "backlog" | "fds";

const PARTS: Record<Part, () => Promise<unknown>> = {
  "memory": () =>
    streamThrough({
      senders: 20,
      pixelBytes: 1_000_000_000,
      out: 4,
      mostMiB: 350,
      patienceMs: HOUR_MS,
    }),
  "large": () =>
    streamThrough({
      senders: 1,
      pixelBytes: 6 * 1024 ** 3,
      out: 1,
      mostMiB: 200,
      patienceMs: HOUR_MS,
    }),
  "associations": () => openAndClose({ associations: 50_000, mostMiB: 20 }),
  "disk-full": diskFull,
  "backlog": () => backlog(Number(options.entries)),
  "fds": () => runShortOfFiles({ openFiles: 128, rounds: 20, senders: 60 }),
};

/** All ways in which a disk can be full, a share of the rounds each. */
async function diskFull(): Promise<unknown> {
  const ways: readonly [Shortage, string | number][] = [
    ["bytes", 0],
    ["bytes", "8MB"],
    ["inodes", 0],
  ];
  const rounds = Math.ceil(Number(options.rounds) / ways.length);
  const figures = [];
  for (const [shortage, minimumFreeSpace] of ways) {
    await using disk = await makeSmallDisk({ megabytes: 256, shortage });
    figures.push({
      shortage,
      minimumFreeSpace,
      mounted: disk.mounted,
      ...await fillAgainAndAgain({
        disk,
        rounds,
        seed: Number(options.seed),
        minimumFreeSpace,
        progress: (text) => print(`  ${shortage}, ${minimumFreeSpace} kept free: ${text}`),
      }),
    });
  }
  return figures;
}

async function backlog(entries: number): Promise<unknown> {
  const parent = options.folder === undefined ? {} : { dir: options.folder };
  const folder = await Deno.makeTempDir({ prefix: "forwarder-backlog-", ...parent });
  try {
    return await startOnBacklog({ entries, withinMs: 10_000, mostMiB: 400, folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const names = Object.keys(PARTS) as Part[];
const chosen = names.filter((name) => options[name] === true);
const results: Record<string, unknown> = {};
let violations = 0;
for (const name of chosen.length === 0 ? names : chosen) {
  const began = performance.now();
  print(`${name} ...`);
  try {
    results[name] = await PARTS[name]();
  } catch (error) {
    violations++;
    results[name] = "VIOLATED";
    print(error instanceof Error ? error.stack ?? error.message : String(error));
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  print(`${name}: ${JSON.stringify(results[name])} in ${seconds} s`);
}
print(`${violations} violations  ${JSON.stringify(results)}`);
Deno.exit(violations > 0 ? 1 : 0);
