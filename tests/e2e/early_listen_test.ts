/* The port is had before the spool is looked through, and what connects meanwhile is served afterwards. */

import assert from "node:assert/strict";
import { freePort } from "../helpers/child.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { CT_IMAGE_STORAGE } from "../helpers/instances.ts";
import { Peer } from "../helpers/peer.ts";
import { associateRequest } from "../helpers/pdus.ts";
import { Scratch } from "../helpers/scratch.ts";
import { within } from "../helpers/until.ts";
import { PduType } from "../../src/ul/pdu.ts";

Deno.test("a sender that connects while the spool is being looked through is answered when that is done", async () => {
  await using scratch = await Scratch.make();
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const files = new FaultyFiles();
  const sync = files.syncDirectory.bind(files);
  files.syncDirectory = async (path) => {
    reached.resolve();
    await held.promise;
    await sync(path);
  };
  const port = freePort();
  const starting = Forwarder.start(scratch.path, {
    local_port: port,
    destinations: [nodeAt("pacs", freePort())],
  }, { files });
  await within(reached.promise, 5000, "the spool to be looked through");
  const peer = await Peer.connect(port);
  const context = {
    id: 1,
    abstractSyntax: CT_IMAGE_STORAGE,
    transferSyntaxes: ["1.2.840.10008.1.2.1"],
  };
  await peer.send(associateRequest([context], 16_384, { calledAeTitle: "DICOMFORWARDER" }));
  held.resolve();
  await using forwarder = await starting;
  await peer.expectPdu(PduType.AssociateAccept);
  assert.equal(forwarder.port, port);
  peer.close();
});

Deno.test("a start that fails after the port was had gives it back", async () => {
  await using scratch = await Scratch.make();
  await Deno.mkdir(`${scratch.path}/spool`);
  await Deno.writeTextFile(`${scratch.path}/spool/VERSION`, "99\n");
  const port = freePort();
  const settings = { local_port: port, destinations: [nodeAt("pacs", freePort())] };
  await assert.rejects(Forwarder.start(scratch.path, settings), /of version "99"/);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});
