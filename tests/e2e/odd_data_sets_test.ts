/*
 * Data sets of shapes that readers stumble over, through a forwarder: what is answered with Success arrives byte for byte, and
 * what is proven to be cut short is refused.
 */

import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { concat } from "../../src/dicom/bytes.ts";
import {
  DEFLATED_EXPLICIT_VR_LE,
  EXPLICIT_VR_BE,
  EXPLICIT_VR_LE,
  IMPLICIT_VR_LE,
} from "../../src/dicom/uid.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { ascii, bytes, noise } from "../helpers/hex.ts";
import { CT_IMAGE_STORAGE, dataSetOf } from "../helpers/instances.ts";
import { sha256 } from "../helpers/hashes.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";

const META = bytes("0200 0000 554c 0400 c0000000 0200 1000 5549 0400 312e3200");
const PLAIN = dataSetOf({ sopInstanceUid: "1.2.3.4" });
/** (0009,1001) SQ of undefined length with one item of undefined length in it, and the end of both. */
const BEGIN = bytes("0900 0110 5351 0000 ffffffff feff 00e0 ffffffff");
const END = bytes("feff 0de0 00000000 feff dde0 00000000");
/** (0009,1001) SQ as before, implicit VR. */
const BEGIN_IMPLICIT = bytes("0900 0110 ffffffff feff 00e0 ffffffff");
const STUDY = bytes("2000 0d00 5549 0400 312e3200");
const STUDY_IMPLICIT = bytes("2000 0d00 04000000 312e3200");

function repeated(piece: Uint8Array, times: number): Uint8Array {
  return concat(Array.from({ length: times }, () => piece));
}

/** A deflated data set, of even length (PS3.5 §A.5). */
function deflated(dataSet: Uint8Array): Uint8Array {
  const stream = deflateRawSync(dataSet);
  return concat([stream, new Uint8Array(stream.length & 1)]);
}

/** (0009,0010) UN of so many zeros. */
function zeros(length: number): Uint8Array {
  const head = bytes("0900 1000 554e 0000 00000000");
  new DataView(head.buffer).setUint32(8, length, true);
  return concat([head, new Uint8Array(length)]);
}

const SUCCESS = 0;
const CANNOT_UNDERSTAND = 0xc000;

const SHAPES: readonly [string, string, Uint8Array, number][] = [
  ["file meta information before it", EXPLICIT_VR_LE, concat([META, PLAIN]), SUCCESS],
  ["file meta, implicit VR", IMPLICIT_VR_LE, concat([META, STUDY_IMPLICIT]), SUCCESS],
  ["file meta, big endian", EXPLICIT_VR_BE, concat([META, STUDY]), SUCCESS],
  [
    "10,000 sequences in each other",
    EXPLICIT_VR_LE,
    concat([repeated(BEGIN, 10_000), repeated(END, 10_000), STUDY]),
    SUCCESS,
  ],
  [
    "10,000 sequences in each other, implicit VR",
    IMPLICIT_VR_LE,
    concat([repeated(BEGIN_IMPLICIT, 10_000), repeated(END, 10_000), STUDY_IMPLICIT]),
    SUCCESS,
  ],
  ["sequences that do not end", EXPLICIT_VR_LE, repeated(BEGIN, 1000), CANNOT_UNDERSTAND],
  [
    "an element of 4 GiB",
    EXPLICIT_VR_LE,
    bytes("0900 1000 4f42 0000 feffffff 0102030405060708"),
    CANNOT_UNDERSTAND,
  ],
  [
    "a character set that is none, and text in no character set",
    EXPLICIT_VR_LE,
    concat([
      bytes("0800 0500 4353 0c00"),
      ascii("ISO_IR 99999", 12),
      bytes("1000 1000 504e 0a00 ff fe 80 1b 24 42 00 0a 0d 5c"),
      STUDY,
    ]),
    SUCCESS,
  ],
  ["implicit VR where explicit was agreed on", EXPLICIT_VR_LE, STUDY_IMPLICIT, SUCCESS],
  ["noise", EXPLICIT_VR_LE, noise(10_000), SUCCESS],
  ["deflate of 64 MiB", DEFLATED_EXPLICIT_VR_LE, deflated(zeros(0x4000000)), SUCCESS],
  ["deflate of 320 KiB", DEFLATED_EXPLICIT_VR_LE, deflated(zeros(0x50000)), SUCCESS],
  [
    "deflate that is none",
    DEFLATED_EXPLICIT_VR_LE,
    Uint8Array.of(0xff, 0xff, ...noise(98)),
    SUCCESS,
  ],
];

Deno.test("data sets of every odd shape arrive byte for byte or are refused as cut short", async () => {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port)],
  });
  const wanted: string[] = [];
  for (const [n, [name, transferSyntaxUid, dataSet, status]] of SHAPES.entries()) {
    const instance = {
      sopClassUid: CT_IMAGE_STORAGE,
      sopInstanceUid: name.startsWith("file meta information") ? "1.2.3.4" : `1.2.99.${n}`,
      transferSyntaxUid,
      dataSet,
    };
    await using sender = await Sender.open(forwarder.port, { pairs: [instance] });
    assert.equal(await sender.send(instance), status, name);
    if (status === SUCCESS) {
      wanted.push(`${instance.sopInstanceUid} ${transferSyntaxUid} ${sha256(dataSet)}`);
    }
  }
  await sink.received(wanted.length);
  const arrived = sink.arrivals.map((one) =>
    `${one.sopInstanceUid} ${one.transferSyntaxUid} ${one.hash}`
  );
  assert.deepEqual(arrived.sort(), wanted.sort());
});
