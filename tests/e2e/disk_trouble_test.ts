/*
 * A spool whose disk is full at the start, or fails to sync while instances come in: senders are told to try again, what
 * waits is delivered meanwhile, and instances are taken again without anybody's doing once the disk works.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { freePort } from "../helpers/child.ts";
import { FaultyFiles, systemError } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOf, type TestInstance } from "../helpers/instances.ts";
import { captureLog } from "../helpers/log_file.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { makeSmallDisk } from "../helpers/small_disk.ts";
import { until } from "../helpers/until.ts";

/** Longest time until instances are taken again once the disk works, in ms. */
const RESUME_MS = 10_000;

/** What an association request is rejected with (PS3.8 Table 9-21); undefined where it is accepted. */
async function rejection(port: number): Promise<number[] | undefined> {
  try {
    await using _sender = await Sender.open(port);
    return undefined;
  } catch (error) {
    if (!(error instanceof AssociationError) || error.reject === undefined) throw error;
    const { result, source, reason } = error.reject;
    return [result, source, reason];
  }
}

/** Waits until an association is accepted again, and stores over it. */
async function storedAgain(port: number, instance: TestInstance): Promise<void> {
  await until(
    async () => {
      const rejected = await rejection(port);
      if (rejected !== undefined) assert.deepEqual(rejected, [2, 3, 2]);
      return rejected === undefined;
    },
    RESUME_MS,
    "associations to be accepted again",
  );
  await sendAll(port, [instance]);
}

const LATER = instanceOf({ sopInstanceUid: "1.2.3.9" });

Deno.test("a start on a full disk takes nothing, delivers what waits, and takes instances again when there is room", async () => {
  await using disk = await makeSmallDisk({ megabytes: 64, shortage: "bytes" });
  await using scratch = await Scratch.make();
  const port = freePort();
  const study = [...generateStudy({ instances: 20, rows: 64, columns: 64, seed: 41 })];
  const settings = {
    spool_dir: join(disk.path, "spool"),
    minimum_free_space: 0,
    destinations: [nodeAt("pacs", port)],
  };
  const options = disk.files === undefined ? {} : { files: disk.files };
  {
    await using forwarder = await Forwarder.start(scratch.path, settings, options);
    await sendAll(forwarder.port, study);
  }
  await disk.fill();
  await using forwarder = await Forwarder.start(scratch.path, settings, options);
  assert.deepEqual(await rejection(forwarder.port), [2, 3, 2]);
  disk.topUp();
  await using sink = new Sink({ port });
  await sink.received(study.length);
  const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
  assert.deepEqual(new Map(arrived), hashesOf(study));
  disk.topUp();
  assert.deepEqual(await rejection(forwarder.port), [2, 3, 2]);
  disk.empty();
  await storedAgain(forwarder.port, LATER);
  await sink.received(study.length + 1);
});

Deno.test("after a sync that failed the sender hears so, new ones are rejected, delivery goes on, and service resumes by itself", async () => {
  await using scratch = await Scratch.make();
  const files = new FaultyFiles();
  const port = freePort();
  const study = [...generateStudy({ instances: 10, rows: 64, columns: 64, seed: 42 })];
  await using forwarder = await Forwarder.start(
    scratch.path,
    { destinations: [nodeAt("pacs", port)] },
    { files },
  );
  await sendAll(forwarder.port, study);
  const [one, other] = ["1.2.3.7", "1.2.3.8"].map((sopInstanceUid) =>
    instanceOf({ sopInstanceUid })
  );
  {
    await using sender = await Sender.open(forwarder.port);
    files.fault = (operation) => operation === "syncData" ? systemError("EIO") : undefined;
    assert.equal(await sender.send(one!), 0x0110);
    assert.equal(await sender.send(other!), 0xa700, "an association that is open goes on");
  }
  assert.deepEqual(await rejection(forwarder.port), [2, 3, 2]);
  const kept = filesIn(scratch.at("spool")).filter((path) => Deno.statSync(path).size > 0);
  assert.equal(kept.filter((path) => path.endsWith(".part")).length, 0, "its slot is gone");
  await using sink = new Sink({ port });
  await sink.received(study.length);
  assert.deepEqual(await rejection(forwarder.port), [2, 3, 2]);
  files.fault = () => undefined;
  await storedAgain(forwarder.port, LATER);
  await sink.received(study.length + 1);
  assert.deepEqual(
    [...sink.uids()].sort(),
    [...study.map((each) => each.sopInstanceUid), LATER.sopInstanceUid].sort(),
  );
});

Deno.test("housekeeping that fails each second is told once, and once more when it fails anew", async () => {
  await using scratch = await Scratch.make();
  const log = await captureLog(scratch.at("logs"));
  const files = new FaultyFiles();
  let looks = 0;
  const failing = (code: string | undefined) => {
    looks = 0;
    files.fault = (operation, path) => {
      if (operation !== "list" || !path.endsWith("retry")) return undefined;
      looks++;
      return code === undefined ? undefined : systemError(code);
    };
  };
  const looked = () => until(() => looks >= 2, 10_000, "two looks into retry/");
  let lines: string[] = [];
  try {
    await using _forwarder = await Forwarder.start(
      scratch.path,
      { destinations: [nodeAt("pacs", freePort())] },
      { files },
    );
    for (const code of ["EMFILE", undefined, "EMFILE"]) {
      failing(code);
      await looked();
    }
  } finally {
    lines = await log();
  }
  assert.equal(lines.filter((line) => line.includes("Housekeeping failed")).length, 2);
});
