/* A disk that lies: what is damaged in the spool is never delivered, and nothing good waits for it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { countCorrupt, listItems } from "../../src/spool/inspect.ts";
import { freePort } from "../helpers/child.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";

/** Where in a file the damage is. */
const PLACES: readonly (readonly [string, (length: number) => number])[] = [
  ["data set", (length) => length - 100],
  ["file meta", () => 200],
  ["commit record", () => 20],
];

for (const [place, offsetIn] of PLACES) {
  Deno.test(`an instance whose ${place} is damaged on the disk is set aside, and the others are delivered`, async () => {
    await using scratch = await Scratch.make();
    const study = [...generateStudy({ instances: 3, rows: 32, columns: 32, seed: 31 })];
    const port = freePort();
    const settings = { destinations: [nodeAt("pacs", port)] };
    {
      await using forwarder = await Forwarder.start(scratch.path, settings);
      await sendAll(forwarder.port, study);
    }
    const spool = join(scratch.path, "spool");
    const damaged = [...listItems(realFileSystem, spool)].slice(0, 1);
    for (const { path } of damaged) {
      const bytes = Deno.readFileSync(path);
      bytes[offsetIn(bytes.length)]! ^= 0x10;
      Deno.writeFileSync(path, bytes);
    }
    await using sink = new Sink({ port });
    await using _forwarder = await Forwarder.start(scratch.path, settings);
    await sink.received(2, 20_000);
    await until(() => countCorrupt(realFileSystem, spool) === 1, 20_000, "it to be set aside");
    assert.equal(sink.uids().size, 2);
    await until(() => listItems(realFileSystem, spool).next().done === true, 5_000, "the queue");
  });
}

Deno.test("a damaged instance that waits alone is set aside, too, and no association is asked for", async () => {
  await using scratch = await Scratch.make();
  const study = [...generateStudy({ instances: 1, rows: 32, columns: 32, seed: 32 })];
  const port = freePort();
  const settings = { destinations: [nodeAt("pacs", port)] };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(forwarder.port, study);
  }
  const spool = join(scratch.path, "spool");
  const [only] = [...listItems(realFileSystem, spool)];
  Deno.truncateSync(only!.path, 100);
  await using sink = new Sink({ port });
  await using _forwarder = await Forwarder.start(scratch.path, settings);
  await until(() => countCorrupt(realFileSystem, spool) === 1, 20_000, "it to be set aside");
  assert.equal(sink.associations, 0);
});
