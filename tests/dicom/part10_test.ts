/*
 * The head of a DICOM file against PS3.10 §7.1, written and read.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import {
  encodeFileMeta,
  type FileMeta,
  Part10Error,
  readFileMeta,
} from "../../src/dicom/part10.ts";
import { IMPLEMENTATION_CLASS_UID } from "../../src/dicom/uid.ts";
import { ascii, bytes, hex, noise } from "../helpers/hex.ts";

const META: FileMeta = {
  sopClassUid: "1.2",
  sopInstanceUid: "1.2.3",
  transferSyntaxUid: "1.2.840.10008.1.2.1",
  sourceAeTitle: "CT1",
  receivingAeTitle: "",
};

Deno.test("file meta is the bytes of PS3.10 Table 7.1-1", () => {
  const ours = IMPLEMENTATION_CLASS_UID;
  assert.equal(ours.length, 44);
  assert.equal(
    hex(encodeFileMeta(META)),
    hex(concat([
      ascii("DICM"),
      bytes("02000000 554c 0400 9c000000"), // group length: 156 bytes follow
      bytes("02000100 4f42 0000 02000000 0001"), // version
      bytes("02000200 5549 0400 312e3200"), // Media Storage SOP Class UID, padded with NUL
      bytes("02000300 5549 0600 312e322e3300"), // Media Storage SOP Instance UID
      bytes("02001000 5549 1400"), // Transfer Syntax UID
      ascii("1.2.840.10008.1.2.1", 20, 0),
      bytes("02001200 5549 2c00"), // Implementation Class UID
      ascii(ours),
      bytes("02001300 5348 1000"), // Implementation Version Name
      ascii("DICOMFORWARD_010"),
      bytes("02001600 4145 0400 43543120"), // Source AE Title, padded with a space
    ])),
  );
});

const uid = fc.stringMatching(/^[0-9.]{0,63}[0-9]$/);
const aeTitle = fc.stringMatching(/^([!-~]([ -~]{0,14}[!-~])?)?$/);

Deno.test("whatever meta is written is read back, and the data set begins where it ends", () => {
  fc.assert(
    fc.property(
      fc.record({
        sopClassUid: fc.oneof(uid, fc.constant("")),
        sopInstanceUid: uid,
        transferSyntaxUid: uid,
        sourceAeTitle: aeTitle,
        receivingAeTitle: aeTitle,
      }, { noNullPrototype: true }),
      fc.uint8Array({ maxLength: 20 }),
      (meta, preambleStart) => {
        const preamble = new Uint8Array(128);
        preamble.set(preambleStart);
        const head = concat([preamble, encodeFileMeta(meta), bytes("0800 0500 4353 0000")]);
        assert.equal((head.length - 8) % 2, 0);
        const read = readFileMeta(head);
        assert.deepEqual(read.meta, meta);
        assert.equal(read.dataSetOffset, head.length - 8);
        const groupLength = new DataView(head.buffer).getUint32(140, true);
        assert.equal(144 + groupLength, read.dataSetOffset);
      },
    ),
  );
});

function file(...elements: string[]): Uint8Array {
  return concat([new Uint8Array(128), ascii("DICM"), ...elements.map(bytes)]);
}

const SYNTAX = "02001000 5549 0400 312e3200";

Deno.test("a file without group length, with a wrong one, or with elements of others is read", () => {
  for (
    const before of [
      "",
      "02000000 554c 0400 ffffff00",
      "02000100 4f42 0000 02000000 0001",
      "02000201 4f42 0000 04000000 deadbeef", // (0002,0102) private information
      "02001600 4145 0600 204142202000",
    ]
  ) {
    const whole = file(before, SYNTAX, "0800 0500 4353 0000");
    const { meta, dataSetOffset } = readFileMeta(whole);
    assert.equal(meta.transferSyntaxUid, "1.2");
    assert.equal(dataSetOffset, whole.length - 8);
  }
});

Deno.test("what is no DICOM file, or lacks what is needed, says so", () => {
  for (
    const [head, message] of [
      [new Uint8Array(0), /bytes 128 to 131/],
      [noise(1000), /bytes 128 to 131/],
      [file(), /no Transfer Syntax/],
      [file("02000200 5549 0400 312e3200"), /no Transfer Syntax/],
      [file("02001000 5549 0200 0000"), /no Transfer Syntax/],
      [file("02001000 5549 ff00 312e"), /\(0002,0010\) claims 255 bytes, 2 are there/],
      [file("02000100 4f42 0000 ffffffff 00"), /claims 4294967295 bytes/],
    ] as const
  ) {
    assert.throws(() => readFileMeta(head), (error: unknown) => {
      assert.ok(error instanceof Part10Error, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a head cut anywhere is a Part10Error or ends at an element, never another throw", () => {
  const whole = concat([new Uint8Array(128), encodeFileMeta(META)]);
  for (let length = 0; length < whole.length; length++) {
    try {
      const { dataSetOffset } = readFileMeta(whole.subarray(0, length));
      assert.ok(dataSetOffset <= length);
    } catch (error) {
      assert.ok(error instanceof Part10Error, `${length}: ${error}`);
    }
  }
});
