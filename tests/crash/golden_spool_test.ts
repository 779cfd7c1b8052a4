/*
 * Spools written by other versions of the program (CR-13): what version 1 wrote is drained, what a newer one wrote is not
 * touched.
 *
 * The files in tests/fixtures/spool-v1 were written by the first program of that version and are never written again. A
 * change that makes these tests fail is a change of the spool's version.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listItems } from "../../src/spool/inspect.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { runCli } from "../cli/run_cli.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";
import { until } from "../helpers/until.ts";
import { isDrained } from "./held.ts";

const GOLDEN = fileURLToPath(new URL("../fixtures/spool-v1", import.meta.url));
const ROOT = "1.2.826.0.1.3680043.10.1";

/** Of the data sets, as they were when the spool was written. */
const HASHES = {
  queued: "4b1be82463aef771788959b10a80659188fe0405ea6c687bb76d303155437cd3",
  failed: "f21c12b91fe9e755c58bb6ebb9ddba4c198f6787173c37392259296063e870ff",
  putBack: "39bf90ae0155767dead82bd0e88567d125ec4cf94a69c9d04d5e65aff092580f",
  slot: "f5ef018b4df15e0bfa655e56bbd150582af54a277f15e80b0e84c665132f5e17",
  former: "8df19818a14f0063cd0aef0375dfd9807143ba90536f303e718412d524f6a461",
};

const CORRUPT = "corrupt/1763900000004-000003-89b6e7e2-3278c8e9";

/** A copy of the spool; the folders that hold nothing are not among the files kept. */
function copyTo(folder: string): string {
  const spool = join(folder, "spool");
  Deno.mkdirSync(spool);
  for (const name of contentsOf(GOLDEN)) {
    if (name.endsWith("/")) Deno.mkdirSync(join(spool, name));
    else Deno.writeFileSync(join(spool, name), Deno.readFileSync(join(GOLDEN, name)));
  }
  return spool;
}

Deno.test("a spool written by version 1 is drained: queue with tries, slot, retry/, and failed/ with its reasons", async () => {
  await using scratch = await Scratch.make();
  const spool = copyTo(scratch.path);
  const before = [...listItems(realFileSystem, spool)];
  assert.deepEqual(
    before.map(({ destination, state, tries, reason }) => ({ destination, state, tries, reason }))
      .sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1),
    [
      {
        destination: "first",
        state: "failed",
        tries: 4,
        reason: "Cannot understand (C000)",
      },
      { destination: "first", state: "queued", tries: 2, reason: undefined },
      {
        destination: "former",
        state: "failed",
        tries: 0,
        reason: "The configuration has no destination former any more",
      },
      { destination: "second", state: "queued", tries: 0, reason: undefined },
    ],
  );
  await using first = new Sink();
  await using second = new Sink();
  await using former = new Sink();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [
      nodeAt("first", first.port),
      nodeAt("second", second.port),
      nodeAt("former", former.port),
    ],
    // The slot's sender, as the stored file meta information has it.
    routes: [{ calling_ae_titles: ["MODALITY"], destinations: ["first", "second"] }],
  });
  await first.received(2);
  await second.received(3);
  await former.received(1);
  const retry = await runCli(["queue", "retry", "--destination", "first"], scratch.path);
  assert.match(retry.stdout, /^1 put back/, retry.stderr);
  await first.received(3);
  await until(() => isDrained(spool), 20_000, "the queue to be empty");
  daemon.signal("SIGTERM");
  assert.equal((await daemon.exit()).code, 0, daemon.said);

  const arrived = (sink: Sink) =>
    sink.arrivals.map(({ sopInstanceUid, hash }) => `${sopInstanceUid} ${hash}`).sort();
  assert.deepEqual(arrived(first), [
    `${ROOT}.1 ${HASHES.queued}`,
    `${ROOT}.2 ${HASHES.failed}`,
    `${ROOT}.5 ${HASHES.slot}`,
  ]);
  assert.deepEqual(arrived(second), [
    `${ROOT}.1 ${HASHES.queued}`,
    `${ROOT}.4 ${HASHES.putBack}`,
    `${ROOT}.5 ${HASHES.slot}`,
  ]);
  assert.deepEqual(arrived(former), [`${ROOT}.6 ${HASHES.former}`]);
  for (const name of [`${CORRUPT}.dcm`, `${CORRUPT}.json`]) {
    assert.deepEqual(Deno.readFileSync(join(spool, name)), Deno.readFileSync(join(GOLDEN, name)));
  }
});

/** Every file and folder with its time, its size and what is in it. */
function portrait(folder: string): string[] {
  return ["", ...contentsOf(folder)].map((name) => {
    const path = join(folder, name);
    const { isFile, mtime, size, mode } = Deno.statSync(path);
    const hash = isFile ? sha256(Deno.readFileSync(path)) : "";
    return `${name} ${mtime?.getTime()} ${isFile ? size : ""} ${mode} ${hash}`;
  });
}

for (const version of ["2", "10", "1.1"]) {
  Deno.test(`a spool of version ${version} is refused with exit code 4, and nothing in it is touched`, async () => {
    await using scratch = await Scratch.make();
    await using sink = new Sink();
    const spool = copyTo(scratch.path);
    Deno.writeTextFileSync(join(spool, "VERSION"), `${version}\n`);
    const long = new Date("2026-01-02T03:04:05Z");
    for (const name of [...contentsOf(spool), ""]) Deno.utimeSync(join(spool, name), long, long);
    const before = portrait(spool);
    const daemon = new DaemonProcess(scratch.path, { destinations: [nodeAt("first", sink.port)] });
    const { code } = await daemon.exit();
    assert.equal(code, 4, daemon.said);
    assert.match(daemon.said, new RegExp(`is of version \\\\?"${version.replace(".", "\\.")}`));
    assert.deepEqual(portrait(spool), before);
    assert.equal(sink.associations, 0);
  });
}
