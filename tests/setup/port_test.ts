/*
 * Is the port free, ours, or another's; how much room is there; may the spool be there.
 */

import assert from "node:assert/strict";
import { freePort } from "../helpers/child.ts";
import { Scratch } from "../helpers/scratch.ts";
import { lockSpool } from "../../src/spool/lock.ts";
import { freeSpaceText } from "../../src/setup/free_space.ts";
import { spoolTrouble } from "../../src/setup/spool_volume.ts";
import { SpoolError } from "../../src/spool/version.ts";
import { portState } from "../../src/setup/port.ts";

Deno.test("a port is free, ours where the spool of its file is locked, and else another's", async () => {
  await using scratch = await Scratch.make();
  const free = freePort();
  assert.equal(portState("127.0.0.1", free, undefined).kind, "free");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const running = { port, spoolDir: scratch.at("spool") };
  assert.equal(portState("127.0.0.1", port, undefined).kind, "trouble");
  assert.equal(portState("127.0.0.1", port, running).kind, "trouble");
});

Deno.test("the lock of a running forwarder makes its port ours and no other", async () => {
  await using scratch = await Scratch.make();
  const spoolDir = scratch.at("spool");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  // Locks are the system's by open file, so one of this process counts as another's.
  const lock = await lockSpool(spoolDir);
  try {
    assert.equal(portState("127.0.0.1", port, { port, spoolDir }).kind, "ours");
    assert.equal(portState("127.0.0.1", port, { port: port - 1, spoolDir }).kind, "trouble");
  } finally {
    lock.release();
  }
});

Deno.test("an address this machine has not is told", () => {
  const state = portState("192.0.2.1", 11_112, undefined);
  assert.ok(state.kind === "trouble");
  assert.match(state.why, /cannot be opened on 192\.0\.2\.1/);
});

Deno.test("the room is that of the volume a folder is going to be on", async () => {
  await using scratch = await Scratch.make();
  assert.match(freeSpaceText(scratch.at("not", "there", "yet")), /^\d+\.\d GB free$/);
});

Deno.test("a spool that would be refused is told before the forwarder is", async () => {
  await using scratch = await Scratch.make();
  assert.equal(spoolTrouble(scratch.path, false, () => undefined), undefined);
  assert.deepEqual(spoolTrouble("/s", false, () => "It is slow"), {
    refused: false,
    why: "It is slow.",
  });
  const refuse = (): never => {
    throw new SpoolError("It is FAT");
  };
  assert.deepEqual(spoolTrouble("/s", false, refuse), { refused: true, why: "It is FAT." });
});

Deno.test({
  name: "a spool in memory is told of",
  ignore: Deno.build.os !== "linux",
  fn: () => assert.match(spoolTrouble("/dev/shm/spool", false)!.why, /in memory \(tmpfs\)/),
});
