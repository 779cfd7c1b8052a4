/*
 * Messages without an end: each is cut off at its limit, leaves nothing in the spool, and costs no one else anything.
 */

import assert from "node:assert/strict";
import { CommandField, decodeCommand } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { freePort } from "../helpers/child.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { noise } from "../helpers/hex.ts";
import { CT_IMAGE_STORAGE, dataSetOf, instanceOf } from "../helpers/instances.ts";
import { associateRequest, commandPdu, dataPdu, pdv, pdvsOf } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";

const ASSOCIATE = associateRequest(
  [{
    id: 1,
    abstractSyntax: CT_IMAGE_STORAGE,
    transferSyntaxes: ["1.2.840.10008.1.2.1"],
  }],
  16384,
  { calledAeTitle: FORWARDER_AE },
);
const UID = "1.2.3.4.5.6";
const LIMIT = 1_000_000;
const PIECE = dataPdu(pdv(1, "data", false, noise(16_000)));

function storeCommand(sopInstanceUid: string): Uint8Array {
  return commandPdu(1, {
    commandField: CommandField.StoreRequest,
    affectedSopClassUid: CT_IMAGE_STORAGE,
    affectedSopInstanceUid: sopInstanceUid,
    messageId: 1,
    priority: 0,
    commandDataSetType: 1,
  });
}

async function withForwarder(
  test: (forwarder: Forwarder, peer: Peer, scratch: Scratch, files: FaultyFiles) => Promise<void>,
  settings: Record<string, unknown> = {},
): Promise<void> {
  await using scratch = await Scratch.make();
  const files = new FaultyFiles();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    max_instance_size: LIMIT,
    timeouts: { stop: 1 },
    ...settings,
  }, { files });
  const peer = await Peer.connect(forwarder.port);
  try {
    await peer.send(ASSOCIATE);
    await peer.expectPdu(PduType.AssociateAccept);
    await test(forwarder, peer, scratch, files);
  } finally {
    peer.close();
  }
  // Nobody else has noticed.
  await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: "1.2.3" })]);
}

/** Bytes in slots: what has been received and is not in the queue. */
function bytesIncoming(scratch: Scratch): number {
  const slots = filesIn(scratch.at("spool", "incoming"));
  return slots.reduce((sum, path) => sum + Deno.statSync(path).size, 0);
}

/**
 * Sends the same PDU until the association is ended, by A-ABORT or, as a reset may overtake that, the connection alone.
 *
 * @returns how many bytes went before
 */
async function sendUntilCut(peer: Peer, pdu: Uint8Array, most: number): Promise<number> {
  let sent = 0;
  while (peer.waiting === 0 && peer.ending === "") {
    assert.ok(sent < most, `${sent} bytes went and nothing ended it`);
    try {
      await peer.send(pdu);
    } catch {
      // Closed meanwhile: what was said before that can still be read.
      break;
    }
    sent += pdu.length;
  }
  const said = await peer.receiveRest();
  if (said.length > 0) assert.equal(said[0], PduType.Abort);
  return sent;
}

Deno.test("a command set whose last fragment never comes is cut off behind 64 KiB", () =>
  withForwarder(async (_forwarder, peer) => {
    const piece = dataPdu(pdv(1, "command", false, new Uint8Array(1024)));
    for (let n = 0; n < 64; n++) await peer.send(piece);
    assert.equal(peer.waiting, 0, "64 KiB are taken");
    await sendUntilCut(peer, piece, 10 * LIMIT);
  }));

Deno.test("a data set whose last fragment never comes is cut off at max_instance_size, and its slot is gone", () =>
  withForwarder(async (forwarder, peer, scratch) => {
    await peer.send(storeCommand(UID));
    for (let sent = 0; sent + PIECE.length < LIMIT; sent += PIECE.length) await peer.send(PIECE);
    await until(() => bytesIncoming(scratch) > LIMIT / 2, 5000, "most of it to be in the slot");
    assert.equal(peer.waiting, 0, "nothing is said below the limit");
    await sendUntilCut(peer, PIECE, 20 * LIMIT);
    assert.equal(bytesIncoming(scratch), 0);
    assert.equal(forwarder.destination("pacs").waiting, 0);
  }));

Deno.test("a data set without an end that is refused already is not read for ever", () =>
  withForwarder(async (_forwarder, peer) => {
    await peer.send(storeCommand("not-a-uid"));
    const sent = await sendUntilCut(peer, PIECE, 20 * LIMIT);
    assert.ok(sent >= LIMIT, `cut off after ${sent} bytes: a refusal could not have been heard`);
  }));

Deno.test("an instance that takes the last room is refused with A700 while it comes, and its slot is gone at once", () =>
  withForwarder(async (_forwarder, peer, scratch, files) => {
    await peer.send(storeCommand(UID), dataPdu(pdv(1, "data", false, dataSetOf({}))));
    // More than a write buffer, so that it is in the file.
    for (let n = 0; n < 30; n++) await peer.send(PIECE);
    await until(() => bytesIncoming(scratch) > 0, 5000, "the instance to be on its way in");
    files.free = 63_000_000;
    await until(
      async () => {
        await peer.send(PIECE);
        return bytesIncoming(scratch) === 0;
      },
      5000,
      "the slot to be gone",
    );
    await peer.send(dataPdu(pdv(1, "data", true, Uint8Array.of(0, 0))));
    const [answer] = pdvsOf(await peer.expectPdu(PduType.Data));
    assert.equal(decodeCommand(answer!.fragment).status, 0xa700);
    files.free = 1 << 30;
    await until(
      async () => {
        await peer.send(
          storeCommand(UID),
          dataPdu(pdv(1, "data", true, dataSetOf({ sopInstanceUid: UID }))),
        );
        const [next] = pdvsOf(await peer.expectPdu(PduType.Data));
        return decodeCommand(next!.fragment).status === 0;
      },
      5000,
      "room to be noticed",
    );
  }, { minimum_free_space: "64MB", max_instance_size: "1GB" }));
