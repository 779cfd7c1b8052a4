/*
 * A delivered file that another program holds, over a stop and a start: it is not sent again, and removed when it is free.
 */

import assert from "node:assert/strict";
import { spoolPaths } from "../../src/spool/paths.ts";
import { freePort } from "../helpers/child.ts";
import { FaultyFiles, systemError } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { LITTLE_ROOM } from "../helpers/spools.ts";
import { until } from "../helpers/until.ts";

Deno.test("delivered files that are held over a restart are sent to nobody again, and go when they are free", async () => {
  await using scratch = await Scratch.make();
  const port = freePort();
  await using sink = new Sink({ port });
  const settings = { destinations: [nodeAt("pacs", port)] };
  const files = new FaultyFiles();
  // Room for new instances, and none to keep delivered files for them.
  files.free = LITTLE_ROOM;
  let held = true;
  files.fault = (operation, path) =>
    held && operation === "remove" && path.endsWith(".dcm") ? systemError("EBUSY") : undefined;
  const waiting = () =>
    filesIn(spoolPaths(scratch.at("spool")).queue).filter((path) => path.endsWith(".dcm")).length;
  const first = ["1.2.3.1", "1.2.3.2"].map((sopInstanceUid) => instanceOf({ sopInstanceUid }));
  const last = instanceOf({ sopInstanceUid: "1.2.3.3" });
  {
    await using forwarder = await Forwarder.start(scratch.path, settings, { files });
    await sendAll(forwarder.port, first);
    await forwarder.delivered("pacs", 2);
  }
  assert.equal(waiting(), 2, "delivered, and still there");
  await using forwarder = await Forwarder.start(scratch.path, settings, { files });
  await sendAll(forwarder.port, [last]);
  // What came after them has been delivered: they would have been before.
  await forwarder.delivered("pacs", 1);
  const arrived = sink.arrivals.map((one) => one.sopInstanceUid).sort();
  assert.deepEqual(arrived, ["1.2.3.1", "1.2.3.2", "1.2.3.3"], "each once");
  held = false;
  await until(() => waiting() === 0, 10_000, "the files to go");
});
