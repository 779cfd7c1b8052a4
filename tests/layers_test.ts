/*
 * The rooms of the source and which may know which: imports go downward only.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);

/** Each room's floor. A room may import from lower floors only, never from another room on its own. */
const FLOORS: Readonly<Record<string, number>> = {
  main: 7,
  cli: 6,
  daemon: 5,
  receiver: 4,
  delivery: 4,
  web: 4,
  setup: 4,
  service: 4,
  doctor: 4,
  alarms: 4,
  audit: 4,
  transcode: 3,
  dimse: 3,
  ledger: 3,
  spool: 2,
  routing: 2,
  ul: 2,
  activity: 2,
  access: 1,
  config: 1,
  control: 1,
  dicom: 1,
  metrics: 1,
  tls: 1,
  log: 0,
  clock: 0,
};

/** Rooms that may not know each other although their floors would allow it. */
const STRANGERS: readonly (readonly [string, string])[] = [
  ["dimse", "spool"],
  ["dimse", "routing"],
  ["transcode", "spool"],
  ["transcode", "ul"],
];

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: Target; readonly type?: Target }[];
  }[];
}

interface Target {
  readonly specifier?: string;
}

/** `src/spool/slots.ts` lies in `spool`, `src/log.ts` and `src/log/line.ts` in `log`. Undefined outside the source. */
function roomOf(specifier: string): string | undefined {
  const path = specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : "";
  if (path === "main.ts") return "main";
  return /^src\/([a-z_]+)(?:\.ts|\/)/.exec(path)?.[1];
}

async function graph(): Promise<Graph> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: fileURLToPath(ROOT),
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("imports go downward only, and no room knows one it must not", async () => {
  const upward: string[] = [];
  let seen = 0;
  for (const { specifier, dependencies = [] } of (await graph()).modules) {
    const from = roomOf(specifier);
    if (from === undefined) continue;
    assert.ok(from in FLOORS, `${specifier} is in a room that has no floor`);
    for (const { code, type } of dependencies) {
      const target = code?.specifier ?? type?.specifier ?? "";
      const to = roomOf(target);
      if (to === undefined || to === from) continue;
      assert.ok(to in FLOORS, `${target} is in a room that has no floor`);
      seen++;
      const strange = STRANGERS.some(([one, other]) => one === from && other === to);
      if (FLOORS[to]! >= FLOORS[from]! || strange) {
        upward.push(
          `${specifier.slice(ROOT.href.length)} imports ${target.slice(ROOT.href.length)}`,
        );
      }
    }
  }
  assert.deepEqual(upward, []);
  assert.ok(seen > 50, `only ${seen} imports between rooms were seen`);
});

Deno.test("no source file is longer than 500 lines", async () => {
  const long: string[] = [];
  async function look(directory: URL): Promise<void> {
    for await (const entry of Deno.readDir(directory)) {
      const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), directory);
      if (entry.isDirectory) await look(url);
      else if (entry.name.endsWith(".ts")) {
        const lines = (await Deno.readTextFile(url)).split("\n").length - 1;
        if (lines > 500) long.push(`${url.href.slice(ROOT.href.length)}: ${lines}`);
      }
    }
  }
  await look(new URL("src/", ROOT));
  assert.deepEqual(long, []);
});
