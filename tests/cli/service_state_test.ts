/* What `service status` says beside the service manager's words. */

import assert from "node:assert/strict";
import { listens } from "../../src/cli/service.ts";
import { lockSpool } from "../../src/spool/lock.ts";
import { Scratch } from "../helpers/scratch.ts";

Deno.test("whether it listens is not known to who may not look", async () => {
  await using scratch = await Scratch.make();
  const file = scratch.at("config.json");
  assert.equal(await listens(file), null);
  await Deno.writeTextFile(file, '{ "store_locally": true, "local_port": 11113 }');
  assert.equal(await listens(file), null);
  const lock = await lockSpool(scratch.at("spool"));
  assert.equal(await listens(file), 11113);
  const real = Deno.readFile;
  Deno.readFile = () =>
    Promise.reject(new Deno.errors.PermissionDenied("Access is denied. (os error 5)"));
  try {
    assert.equal(await listens(file), "unknown");
  } finally {
    Deno.readFile = real;
    lock.release();
  }
});
