/* A long queue costs a start little, and what comes in nothing. */

import assert from "node:assert/strict";
import { freePort } from "../helpers/child.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";
import { startOnBacklog, writeQueue } from "./backlog.ts";

Deno.test({
  name: "a forwarder with 20,000 queued listens within 10 s and holds less than 400 MiB",
  // The peak is read from /proc.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await startOnBacklog({ entries: 20_000, withinMs: 10_000, mostMiB: 400 });
  },
});

/** File operations that receiving one instance costs with so many queued for a destination that is down. */
async function operationsToReceive(queued: number): Promise<string[]> {
  await using scratch = await Scratch.make();
  if (queued > 0) writeQueue(scratch.at("spool"), queued, "pacs");
  const files = new FaultyFiles();
  await using forwarder = await Forwarder.start(
    scratch.path,
    { destinations: [nodeAt("pacs", freePort())] },
    { files, backOff: { firstMs: 600_000, mostMs: 600_000 }, random: () => 1 },
  );
  // What a start does beside its work is not what receiving costs.
  await forwarder.balanced;
  const waiting = () => forwarder.destination("pacs");
  // The first one makes the destination be found down: what follows is receiving alone.
  await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: "1.2.3.4" })]);
  await until(() => waiting().health.state === "down", 10_000, "the destination to be down");
  files.calls.length = 0;
  files.listed = 0;
  await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: "1.2.3.5" })]);
  await until(() => waiting().waiting === queued + 2, 10_000, "the instance to be queued");
  // Both are written now and then, whatever comes in.
  const own = files.calls.filter(({ path }) => !/health\.json|[\\/]ledger[\\/]/.test(path));
  // `retry/`, which is looked at each second, is empty: only a listing of the queue counts names.
  return [...own.map(({ operation }) => operation), `${files.listed} names listed`];
}

Deno.test("receiving an instance costs the same file operations with 3,000 queued as with none", async () => {
  assert.deepEqual(await operationsToReceive(3000), await operationsToReceive(0));
});
