/*
 * The queue from the command line while no forwarder runs: what a person has put back is still seen, and can still be held
 * or removed.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Forwarder, nodeAt, TEST_SETTINGS } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { runCli } from "./run_cli.ts";

Deno.test("what is put back while no forwarder runs is listed, held and removed as what waits", async () => {
  await using scratch = await Scratch.make();
  let status = 0xa900;
  await using sink = new Sink({ answer: () => status });
  const settings = { retry_attempts: 0, destinations: [nodeAt("pacs", sink.port)] };
  Deno.writeTextFileSync(
    join(scratch.path, "config.json"),
    JSON.stringify({ ...TEST_SETTINGS, ...settings }),
  );
  {
    await using forwarder = await Forwarder.start(scratch.path, settings);
    await sendAll(
      forwarder.port,
      [1, 2, 3].map((n) => instanceOf({ sopInstanceUid: `1.2.3.${n}` })),
    );
    await forwarder.failed("pacs", 3);
  }
  const queue = (...words: string[]) => runCli(["queue", ...words], scratch.path);
  const listed = async (): Promise<{ id: string; state: string }[]> =>
    JSON.parse((await queue("list", "--json")).stdout).items;
  const before = (await listed()).map(({ id }) => id);
  assert.equal(before.length, 3);
  assert.match((await queue("retry", "--destination", "pacs")).stdout, /^3 put back/);
  assert.deepEqual((await listed()).map(({ id, state }) => ({ id, state })), [
    ...before.map((id) => ({ id, state: "queued" })),
  ]);
  assert.match((await queue("list")).stdout, /queued +pacs .*put back; the forwarder takes it/);
  assert.match((await queue("show", before[0]!)).stdout, /pacs +queued, 0 tries: put back/);
  assert.match((await queue("remove", before[0]!, "--yes")).stdout, /^1 removed/);
  assert.match((await queue("hold", before[1]!)).stdout, /^1 held/);
  assert.deepEqual((await listed()).map(({ id, state }) => ({ id, state })), [
    { id: before[1], state: "held" },
    { id: before[2], state: "queued" },
  ]);
  for (const verb of ["hold", "release", "retry", "remove"]) {
    const { code, stdout } = await queue(verb, "nonsense");
    assert.equal(code, 1, verb);
    assert.equal(stdout, "Nothing in the spool matches.\n", verb);
  }
  status = 0;
  await using forwarder = await Forwarder.start(scratch.path, settings);
  await forwarder.delivered("pacs", 1);
  await forwarder.balanced;
  assert.equal(forwarder.destination("pacs").waiting, 0);
});
