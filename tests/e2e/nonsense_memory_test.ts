/*
 * What is not DICOM, and lengths that lie, at a process of its own: each connection is closed soon after the first bad
 * byte, and none of them costs memory that stays or was taken at a liar's word.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { freePort } from "../helpers/child.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { FORWARDER_AE } from "../helpers/dcmtk.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { noise } from "../helpers/hex.ts";
import { CT_IMAGE_STORAGE } from "../helpers/instances.ts";
import { associateRequest, pdv, rawPdu } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";

const MIB = 1024 * 1024;
/** What `max_pdu_length` is where the configuration does not say. */
const ANNOUNCED = 131_072;
const EACH = 64;
const AT_ONCE = 8;
/** Closed within this after the first bad byte, in ms; one of a few attempts, as the machine may be busy. */
const SOON_MS = 1000;
const ATTEMPTS = 5;
const PATIENCE_MS = 15_000;

const ASSOCIATE = associateRequest(
  [{ id: 1, abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: ["1.2.840.10008.1.2.1"] }],
  16384,
  { calledAeTitle: FORWARDER_AE },
);

const ascii = (text: string) => new TextEncoder().encode(text);

interface Nonsense {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly associated?: boolean;
}

const NONSENSE: readonly Nonsense[] = [
  { name: "an HTTP request", bytes: ascii("GET / HTTP/1.1\r\nHost: pacs\r\n\r\n") },
  {
    name: "a TLS client hello",
    bytes: Uint8Array.of(0x16, 3, 1, 0, 0x30, 1, 0, 0, 0x2c, 3, 3, ...Array(42).fill(7)),
  },
  {
    name: "an HL7 message",
    bytes: ascii("\x0bMSH|^~\\&|HIS|HOSP|PACS|HOSP|20260101||ADT^A01|1|P|2.3\rPID|||1\r\x1c\r"),
  },
  { name: "an SSH banner", bytes: ascii("SSH-2.0-OpenSSH_9.6\r\n") },
  // Its first byte is no PDU type.
  { name: "1 MiB of noise", bytes: concat([Uint8Array.of(0xe7), noise(MIB - 1)]) },
  ...[0xffffffff, 0x7fffffff, MIB + 1].map((claimed) => ({
    name: `an association request that claims ${claimed} bytes`,
    bytes: rawPdu(PduType.AssociateRequest, ASSOCIATE.subarray(6), claimed),
  })),
  ...[0xffffffff, 0x7fffffff, ANNOUNCED + 1].map((claimed) => ({
    name: `a data PDU that claims ${claimed} bytes`,
    bytes: rawPdu(PduType.Data, pdv(1, "command", false, noise(100)), claimed),
    associated: true,
  })),
  ...[0xffffffff, 0x7fffffff].map((claimed) => ({
    name: `an abort that claims ${claimed} bytes`,
    bytes: rawPdu(PduType.Abort, new Uint8Array(4), claimed),
    associated: true,
  })),
];

/** Says it, and waits for the first word of the answer or for the connection to be closed. */
async function say(
  port: number,
  { bytes, associated }: Nonsense,
  until: "answered" | "closed",
): Promise<void> {
  const peer = await Peer.connect(port);
  try {
    if (associated) {
      await peer.send(ASSOCIATE);
      await peer.expectPdu(PduType.AssociateAccept);
    }
    try {
      await peer.send(bytes);
    } catch {
      // A long one may meet a connection that is closed already.
    }
    const heard = until === "closed"
      ? await peer.receiveRest(PATIENCE_MS)
      : await peer.receive(1).catch(() => new Uint8Array(0));
    if (heard.length > 0) assert.equal(heard[0], PduType.Abort);
  } finally {
    peer.close();
  }
}

/** Whether the connection is closed soon, without our closing it first. */
async function isClosedSoon(port: number, nonsense: Nonsense): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const began = performance.now();
    await say(port, nonsense, "closed");
    if (performance.now() - began <= SOON_MS) return true;
  }
  return false;
}

Deno.test({
  name: "nonsense and lying lengths are cut off within 1 s, and memory stays what it was",
  // Memory is read from /proc.
  ignore: Deno.build.os !== "linux",
  async fn(context) {
    await using scratch = await Scratch.make();
    await using daemon = await DaemonProcess.start(scratch.path, {
      destinations: [nodeAt("pacs", freePort())],
    });
    const all = async () => {
      for (const nonsense of NONSENSE) {
        for (let n = 0; n < EACH; n += AT_ONCE) {
          const some = Array.from(
            { length: AT_ONCE },
            () => say(daemon.port, nonsense, "answered"),
          );
          await Promise.all(some);
        }
      }
    };
    await Promise.all(NONSENSE.map((nonsense) =>
      context.step({
        name: nonsense.name,
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
        fn: async () => assert.ok(await isClosedSoon(daemon.port, nonsense)),
      })
    ));
    // The heap grows to what it needs for good.
    await all();
    const [memory, peak] = [daemon.memory(), daemon.peakMemory()];
    await all();
    const grown = (daemon.memory() - memory) / MIB;
    const peakGrown = (daemon.peakMemory() - peak) / MIB;
    const connections = NONSENSE.length * EACH;
    const text = `${Math.round(grown)} MiB more, ${Math.round(peakGrown)} at the peak, after ` +
      `${connections} connections`;
    // A buffer of 256 KiB that stayed behind for each would be twice as much.
    assert.ok(Math.max(grown, peakGrown) < connections / 8, text);
    await using sender = await Sender.open(daemon.port);
    assert.equal(await sender.echo(), 0);
  },
});

Deno.test({
  name: "connections that say nothing are closed when their time is over, and hold no one up",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using scratch = await Scratch.make();
    await using daemon = await DaemonProcess.start(scratch.path, {
      destinations: [nodeAt("pacs", freePort())],
      timeouts: { association_request: 1 },
    });
    const files = daemon.openFiles().length;
    const silent = await Promise.all(
      Array.from({ length: 15 }, () => Peer.connect(daemon.port)),
    );
    {
      await using sender = await Sender.open(daemon.port);
      assert.equal(await sender.echo(), 0);
    }
    for (const peer of silent) {
      assert.equal((await peer.receiveRest(PATIENCE_MS)).length, 0);
      peer.close();
    }
    assert.ok(daemon.openFiles().length <= files + 4, `${daemon.openFiles().length} files open`);
  },
});
