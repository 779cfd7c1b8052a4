/*
 * Peers that vanish without a word: no end, no reset, only silence from some moment on. Each place they held is free again
 * within its time-out, and so is each connection.
 */

import assert from "node:assert/strict";
import { freePort } from "../helpers/child.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf, instanceOfSize } from "../helpers/instances.ts";
import { associateRequest, commandPdu, RELEASE_RQ } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { ECHO } from "../helpers/provider.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { StoreSession } from "../helpers/store_session.ts";
import { pass, until } from "../helpers/until.ts";
import { concat } from "../../src/dicom/bytes.ts";
import { PduType } from "../../src/ul/pdu.ts";

/** Peers of each kind. */
const COUNT = 50;

/** In s: those of the daily configuration, scaled down. */
const TIMEOUTS = { association_request: 1, idle: 2, read: 1.5, write_stall: 2 };

/** Handles of this process, sockets included; not the slots that the spool has ready, for they come 64 at a time. */
function handles(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (!Deno.readLinkSync(`/proc/self/fd/${name}`).includes("/incoming/")) count++;
    } catch {
      // That was the handle of the listing.
    }
  }
  return count;
}

async function associate(peer: Peer): Promise<void> {
  await peer.send(associateRequest(undefined, 16384, { calledAeTitle: FORWARDER_AE }));
  await peer.expectPdu(PduType.AssociateAccept);
}

interface Vanishing {
  /** Where the forwarder is left (PS3.8 §9.2.2). */
  readonly where: string;
  /** When it gives up, in s after the last sign of life. */
  readonly after: number;
  readonly vanish: (peer: Peer) => Promise<void>;
}

const KINDS: readonly Vanishing[] = [
  {
    where: "Sta2, before the association request",
    after: TIMEOUTS.association_request,
    vanish: async () => {},
  },
  {
    where: "Sta2, inside the association request",
    after: TIMEOUTS.association_request,
    vanish: (peer) => peer.send(associateRequest().subarray(0, 100)),
  },
  {
    where: "Sta6, idle",
    after: TIMEOUTS.idle,
    vanish: associate,
  },
  {
    where: "Sta6, inside a PDU",
    after: TIMEOUTS.read,
    vanish: async (peer) => {
      const session = new StoreSession(instanceOfSize("1.2.3.4.5", 40_000));
      await session.run(peer, session.messageAt + 10_000);
    },
  },
  {
    where: "Sta13, the release answered",
    after: TIMEOUTS.association_request,
    vanish: async (peer) => {
      await associate(peer);
      await peer.send(RELEASE_RQ);
      await peer.expectPdu(PduType.ReleaseResponse);
    },
  },
  {
    where: "Sta13, the rejection sent",
    after: TIMEOUTS.association_request,
    vanish: async (peer) => {
      await peer.send(associateRequest(undefined, 16384, { calledAeTitle: "SOMEONE" }));
      await peer.expectPdu(PduType.AssociateReject);
    },
  },
];

for (const { where, after, vanish } of KINDS) {
  Deno.test(`${COUNT} peers that vanish in ${where} are let go after ${after} s, with all they held`, async () => {
    await using scratch = await Scratch.make();
    await using sink = new Sink();
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", sink.port, { timeouts: { idle_release: 0.1 } })],
      max_associations: COUNT,
      max_associations_per_host: COUNT,
      timeouts: TIMEOUTS,
    });
    await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: "1.2.3.8" })]);
    await sink.received(1);
    await sink.until(({ open }) => open === 0, 10_000, "the association to be released");
    const base = handles();
    const peers: { peer: Peer; took: Promise<number> }[] = [];
    for (let n = 0; n < COUNT; n++) {
      const peer = await Peer.connect(forwarder.port);
      await vanish(peer);
      const silentSince = performance.now();
      peers.push({ peer, took: peer.over.then(() => performance.now() - silentSince) });
    }
    for (const { took } of peers) {
      const seconds = await took / 1000;
      assert.ok(
        seconds > after - 0.6 && seconds < after + 5,
        `let go after ${seconds} s instead of ${after}`,
      );
    }
    await until(() => forwarder.associations === 0, 5000, "all places to be free");
    // The peers have never closed: it is the forwarder's own handles that are gone.
    await until(
      () => handles() <= base + COUNT + 5,
      5000,
      () => `${handles()} handles to become ${base + COUNT}`,
    );
    // Every place is to be had again.
    await sendAll(forwarder.port, [instanceOf({ sopInstanceUid: "1.2.3.9" })]);
    await sink.received(2);
    for (const { peer } of peers) peer.close();
    await sink.until(({ open }) => open === 0, 10_000, "the association to be released");
    await until(() => Math.abs(handles() - base) <= 5, 5000, () => `${handles()} to be ${base}`);
    assert.equal(forwarder.destination("pacs").failed, 0);
  });
}

Deno.test("a peer that asks without end and takes no answer is let go after the write time-out", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    timeouts: TIMEOUTS,
  });
  const peer = await Peer.connect(forwarder.port);
  await peer.send(associateRequest(undefined, 16384, { calledAeTitle: FORWARDER_AE }));
  await peer.expectPdu(PduType.AssociateAccept);
  peer.stopReading();
  const echoes = concat(Array.from({ length: 500 }, () => commandPdu(1, ECHO)));
  // Until neither side's buffers take any more.
  let sending = true;
  const flood = (async () => {
    try {
      while (sending) await peer.send(echoes);
    } catch {
      // The forwarder has closed: that is the point.
    }
  })();
  await until(() => forwarder.associations === 1, 5000, "the association");
  await until(() => forwarder.associations === 0, 60_000, "the place to be free");
  sending = false;
  peer.close();
  await flood;
});

Deno.test("a peer that sends one byte now and then holds its place no longer than a silent one", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
    timeouts: TIMEOUTS,
  });
  const session = new StoreSession(instanceOfSize("1.2.3.4.5", 40_000));
  // Inside the request, where the whole of it has a limit; inside the command set; inside the data set.
  const places = [20, session.messageAt + 20, session.messageAt + 5000];
  await Promise.all(places.map(async (at) => {
    const peer = await Peer.connect(forwarder.port);
    await session.run(peer, at);
    const began = performance.now();
    while (peer.ending === "") {
      await peer.send(Uint8Array.of(0)).catch(() => {});
      await pass(200);
      const seconds = (performance.now() - began) / 1000;
      assert.ok(seconds < TIMEOUTS.read + 5, `still there after ${seconds} s at byte ${at}`);
    }
    peer.close();
  }));
  await until(() => forwarder.associations === 0, 5000, "all places to be free");
});
