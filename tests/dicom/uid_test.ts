/*
 * UIDs: what is one, what can only be stored, and how its data sets are encoded.
 */

import assert from "node:assert/strict";
import { concat, latin1, putLatin1 } from "../../src/dicom/bytes.ts";
import {
  encodingOf,
  IMPLEMENTATION_CLASS_UID,
  IMPLEMENTATION_VERSION_NAME,
  isStorageClass,
  isUid,
  trimUid,
} from "../../src/dicom/uid.ts";

Deno.test("a UID is up to 64 digits and dots", () => {
  for (const uid of ["1", "1.2.840.10008.1.1", "1.02.3", "9".repeat(64), "0.0"]) {
    assert.equal(isUid(uid), true, uid);
  }
  for (
    const text of [
      "",
      ".",
      "...",
      "9".repeat(65),
      "1.2.a",
      "1.2.3\n",
      "1.2.3\0",
      " 1.2",
      "1.2 ",
      "1/2",
      "../1",
      "１.２",
      "-1",
      "1.2.3;id",
    ]
  ) assert.equal(isUid(text), false, JSON.stringify(text));
});

Deno.test("padding goes, whatever it was made of, and nothing else", () => {
  assert.equal(trimUid("1.2\0"), "1.2");
  assert.equal(trimUid("1.2 \0 "), "1.2");
  assert.equal(trimUid(" 1.2"), " 1.2");
  assert.equal(trimUid("\0\0"), "");
});

Deno.test("storage SOP classes are all those of PS3.6 that store, and every private one", () => {
  for (
    const uid of [
      "1.2.840.10008.5.1.4.1.1.2", // CT Image Storage
      "1.2.840.10008.5.1.4.1.1.481.3", // RT Structure Set Storage
      "1.2.840.10008.5.1.4.1.1.9999.1", // one to come
      "1.2.840.10008.5.1.4.34.7", // RT Beams Delivery Instruction Storage
      "1.2.840.10008.5.1.1.27", // Stored Print Storage (retired)
      "1.2.840.113619.4.26", // private
      "1.3.12.2.1107.5.9.1",
    ]
  ) assert.equal(isStorageClass(uid), true, uid);
  for (
    const uid of [
      "1.2.840.10008.1.1", // Verification
      "1.2.840.10008.1.20.1", // Storage Commitment Push Model
      "1.2.840.10008.1.3.10", // Media Storage Directory
      "1.2.840.10008.5.1.4.1.2.1.1", // Patient Root Query/Retrieve - FIND
      "1.2.840.10008.5.1.4.31", // Modality Worklist
      "1.2.840.10008.3.1.2.3.3", // Modality Performed Procedure Step
      "1.2.840.10008.5.1.1.9", // Basic Grayscale Print Management
      "1.2.840.10008.5.1.4.1.1.200.4", // Protocol Approval Information Model - FIND
      "1.2.840.10008.5.1.4.1.1.200.5", // - MOVE
      "1.2.840.10008.5.1.4.1.1.200.6", // - GET
      "1.2.840.10008.5.1.4.1.1.201.2", // Inventory - FIND
      "1.2.840.10008.5.1.4.1.1.201.3", // - MOVE
      "1.2.840.10008.5.1.4.1.1.201.4", // - GET
      "1.2.840.10008.5.1.4.1.1.201.5", // Inventory Creation
      "1.2.840.10008.5.1.4.1.1.201.6", // Repository Query
      "",
      "x",
      `1.2.840.10008.5.1.4.1.1.${"1".repeat(3000)}`,
      "1.2.840.10008.5.1.4.1.1.2\n",
    ]
  ) assert.equal(isStorageClass(uid), false, uid.slice(0, 40));
});

Deno.test("transfer syntaxes are encoded as PS3.5 Annex A says", () => {
  const implicit = { explicitVr: false, littleEndian: true, deflated: false };
  const explicit = { explicitVr: true, littleEndian: true, deflated: false };
  for (
    const [uid, wanted] of [
      ["1.2.840.10008.1.2", implicit],
      ["1.2.840.10008.1.2.1", explicit],
      ["1.2.840.10008.1.2.2", { ...explicit, littleEndian: false }],
      ["1.2.840.10008.1.2.1.99", { ...explicit, deflated: true }],
      ["1.2.840.10008.1.2.4.95", { ...explicit, deflated: true }], // JPIP Referenced Deflate
      ["1.2.840.10008.1.2.4.205", { ...explicit, deflated: true }], // JPIP HTJ2K Referenced Deflate
      ["1.2.840.10008.1.2.8.1", explicit], // Deflated Image Frame Compression: frames, not the data set
      ["1.2.840.10008.1.2.4.50", explicit],
      ["1.2.840.10008.1.2.4.94", explicit], // JPIP Referenced
      ["1.2.840.10008.1.2.5", explicit],
      ["1.2.3.4", explicit],
    ] as const
  ) assert.deepEqual(encodingOf(uid), wanted, uid);
});

Deno.test("what this implementation calls itself fits its fields (PS3.7 §D.3.3.2)", () => {
  assert.equal(isUid(IMPLEMENTATION_CLASS_UID), true);
  assert.match(IMPLEMENTATION_CLASS_UID, /^2\.25\.[1-9]\d*$/);
  assert.ok(IMPLEMENTATION_VERSION_NAME.length <= 16);
});

Deno.test("any byte survives the way to text and back; a character over U+00FF does not spill", () => {
  const all = Uint8Array.from({ length: 256 }, (_, n) => n);
  const into = new Uint8Array(258);
  assert.equal(putLatin1(into, 1, latin1(all)), 257);
  assert.deepEqual(into.subarray(1, 257), all);
  assert.equal(latin1(all, 65, 68), "ABC");
  putLatin1(into, 0, "Ж");
  assert.equal(into[0], 0x3f);
  assert.deepEqual(
    concat([all.subarray(0, 2), new Uint8Array(0), all.subarray(5, 6)]),
    Uint8Array.of(0, 1, 5),
  );
});
