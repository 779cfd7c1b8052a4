/* The process as a service manager sees it: stop signals, exit codes, what it says when it cannot start. */

import assert from "node:assert/strict";
import { CommandField } from "../../src/dimse/command.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { CT_IMAGE_STORAGE, dataSetOf } from "../helpers/instances.ts";
import { Peer } from "../helpers/peer.ts";
import { associateRequest, commandPdu, dataPdu, pdv, pdvsOf, RELEASE_RQ } from "../helpers/pdus.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until, within } from "../helpers/until.ts";
import { decodeCommand } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";

const UID = "1.2.3.4.5";
const CONTEXTS = [{
  id: 1,
  abstractSyntax: CT_IMAGE_STORAGE,
  transferSyntaxes: ["1.2.840.10008.1.2.1"],
}];
const TITLES = { calledAeTitle: "DICOMFORWARDER" };

const STORE = commandPdu(1, {
  commandField: CommandField.StoreRequest,
  affectedSopClassUid: CT_IMAGE_STORAGE,
  affectedSopInstanceUid: UID,
  messageId: 1,
  priority: 0,
  commandDataSetType: 1,
});

async function associated(port: number): Promise<Peer> {
  const peer = await Peer.connect(port);
  await peer.send(associateRequest(CONTEXTS, 16384, TITLES));
  await peer.expectPdu(PduType.AssociateAccept);
  return peer;
}

Deno.test("SIGTERM during a store: the store is finished and delivered or kept, the exit code is 0, in less than 20 s", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const peer = await associated(daemon.port);
  const dataSet = dataSetOf({ sopInstanceUid: UID });
  await peer.send(STORE, dataPdu(pdv(1, "data", false, dataSet.subarray(0, 64))));
  const stopped = performance.now();
  daemon.signal("SIGTERM");
  await daemon.says(/Forwarder is stopping/);
  await until(() => refusesConnections(daemon.port), 5000, "the port to be closed");
  // Longer than an idle association is given at a stop: this one is not idle.
  await pass(1500);
  await peer.send(dataPdu(pdv(1, "data", true, dataSet.subarray(64))));
  const [answer] = pdvsOf(await peer.expectPdu(PduType.Data));
  assert.equal(decodeCommand(answer!.fragment).status, 0);
  await peer.send(RELEASE_RQ);
  await peer.expectPdu(PduType.ReleaseResponse);
  peer.close();
  const status = await within(daemon.exit(), 20_000, "the process to end");
  assert.equal(status.code, 0, daemon.said);
  assert.ok(performance.now() - stopped < 20_000);
  // Whether it left before the stop or waits for the next start: it is there once more and whole.
  await using _next = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  await sink.received(1, 15_000);
  assert.equal(sink.arrivals[0]?.hash, sha256(dataSet));
});

Deno.test("a sender that never finishes does not hold a stop up for longer than timeouts.stop", async () => {
  await using scratch = await Scratch.make();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    timeouts: { stop: 2 },
  });
  const peer = await associated(daemon.port);
  await peer.send(STORE, dataPdu(pdv(1, "data", false, Uint8Array.of(8, 0))));
  daemon.signal("SIGTERM");
  const status = await within(daemon.exit(), 10_000, "the process to end");
  assert.equal(status.code, 0, daemon.said);
  await peer.receiveRest();
  peer.close();
});

Deno.test("a second forwarder on the same spool is refused with exit code 4, the first one goes on", async () => {
  await using scratch = await Scratch.make();
  const settings = {
    destinations: [nodeAt("pacs", freePort())],
    spool_dir: scratch.at("spool"),
  };
  await using daemon = await DaemonProcess.start(scratch.folder("one"), settings);
  const second = new DaemonProcess(scratch.folder("two"), settings);
  const status = await within(second.exit(), 10_000, "the second forwarder to end");
  assert.equal(status.code, 4, second.said);
  assert.match(second.said, /in use by another running forwarder/);
  (await associated(daemon.port)).close();
});

Deno.test("a port in use ends the start with exit code 3 within 3 s, naming the port", async () => {
  await using scratch = await Scratch.make();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const began = performance.now();
  const daemon = new DaemonProcess(scratch.path, {
    local_port: taken.addr.port,
    destinations: [nodeAt("pacs", freePort())],
  });
  const status = await within(daemon.exit(), 10_000, "the forwarder to end");
  const took = performance.now() - began;
  assert.equal(status.code, 3, daemon.said);
  assert.match(
    daemon.said,
    new RegExp(`Cannot listen on 127\\.0\\.0\\.1, port ${taken.addr.port}`),
  );
  assert.ok(took < 3000, `it took ${Math.round(took)} ms`);
});

async function refusesConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return false;
  } catch {
    return true;
  }
}
