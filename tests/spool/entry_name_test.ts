/*
 * Names in the spool and commit records: what is written is read, what is not the spool's is not.
 */

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import {
  type CommitRecord,
  formatSlot,
  putCommitRecord,
  readCommitRecord,
} from "../../src/spool/commit_record.ts";
import {
  bucketOf,
  formatBase,
  formatName,
  hashStudy,
  parseName,
  studyOf,
} from "../../src/spool/entry_name.ts";
import { bytes, hex } from "../helpers/hex.ts";

const identity = fc.record({
  receivedMs: fc.integer({ min: 0, max: 999_999_999_999_999 }),
  sequence: fc.integer({ min: 0, max: 999_999_999_999_999 }),
  studyHash: fc.integer({ min: 0, max: 0xffffffff }),
  crc32: fc.integer({ min: 0, max: 0xffffffff }),
}, { noNullPrototype: true });
const waiting = fc.array(
  fc.record({
    destination: fc.stringMatching(/^[a-z0-9-]{1,16}$/),
    tries: fc.integer({ min: 0, max: 999_999 }),
  }, { noNullPrototype: true }),
  { maxLength: 5 },
);

Deno.test("whatever name is made is read back the same", () => {
  fc.assert(
    fc.property(identity, waiting, (identity, waiting) => {
      const base = formatBase(identity);
      const name = formatName(base, waiting);
      assert.deepEqual(parseName(name), { base, identity, waiting });
      assert.match(name, /^[0-9a-z.~-]+$/);
      assert.equal(bucketOf(identity.studyHash), studyOf(base).slice(0, 2));
      assert.equal(parseInt(studyOf(base), 16), identity.studyHash);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a name looks as the manual shows it", () => {
  const base = formatBase({
    receivedMs: 1_763_900_000_000,
    sequence: 42,
    studyHash: 0xab,
    crc32: 0xdeadbeef,
  });
  assert.equal(
    formatName(base, [{ destination: "pacs", tries: 0 }, { destination: "archive", tries: 3 }]),
    "1763900000000-000042-000000ab-deadbeef.pacs.archive~3.dcm",
  );
  assert.equal(bucketOf(0xab), "00");
  assert.equal(bucketOf(0xab000000), "ab");
});

const GOOD = "1763900000000-000042-000000ab-deadbeef";
for (
  const name of [
    "",
    ".dcm",
    `${GOOD}`,
    `${GOOD}.pacs`,
    `${GOOD}.pacs.dcm.part`,
    `${GOOD}.PACS.dcm`,
    `${GOOD}..dcm`,
    `${GOOD}.pacs~.dcm`,
    `${GOOD}.pacs~x.dcm`,
    `${GOOD}.pacs~1234567.dcm`,
    `${GOOD}.a-name-of-17-char.dcm`,
    `${GOOD}.pa cs.dcm`,
    `${GOOD}.../x.dcm`,
    ` ${GOOD}.dcm`,
    `${GOOD}.dcm\n`,
    `x${GOOD}.dcm`,
    "1763900000000-000042-00000ab-deadbeef.dcm",
    "1763900000000-000042-000000ab-DEADBEEF.dcm",
    "1763900000000--1-000000ab-deadbeef.dcm",
    "1763900000000000-000042-000000ab-deadbeef.dcm",
    "image.dcm",
    "..",
  ]
) {
  Deno.test(`${JSON.stringify(name)} is no name of the spool's`, () => {
    assert.equal(parseName(name), undefined);
  });
}

Deno.test("instances of one study share a hash, and so does an absent study", () => {
  assert.equal(hashStudy("1.2.3"), hashStudy("1.2.3"));
  assert.notEqual(hashStudy("1.2.3"), hashStudy("1.2.4"));
  assert.equal(hashStudy(""), 0);
});

const RECORD: CommitRecord = {
  dataSetOffset: 0x01020304,
  dataSetLength: 0x0005060708090a,
  crc32: 0xfedcba98,
  studyHash: 0x89abcdef,
  receivedMs: 1_763_900_000_000,
  sequence: 42,
  metaCrc32: 0x11223344,
  slot: "1763900000001-513.part",
};

Deno.test("a commit record is laid out as its module says", () => {
  const into = new Uint8Array(130).fill(0xee);
  putCommitRecord(into, RECORD);
  assert.equal(
    hex(into.subarray(0, 124)),
    hex(bytes(`
      444657 53504f4f4c       // "DFWSPOOL"
      0100 0000               // version, reserved
      04030201                // offset of the data set
      0a09080706050000        // length of the data set
      98badcfe efcdab89       // CRC-32, study hash
      0007a2b09a010000        // received: 1763900000000
      2a00000000000000        // sequence
      44332211                // CRC-32 of the file meta
      0107a2b09a010000        // slot: 1763900000001
      0102000000000000        // and 513
      ${"00".repeat(56)}
    `)),
  );
  const crc = new DataView(into.buffer).getUint32(124, true);
  assert.equal(crc, crc32(into.subarray(0, 124)));
  assert.equal(hex(into.subarray(128)), "ee ee", "nothing behind the preamble");
  assert.deepEqual(readCommitRecord(into), RECORD);
});

Deno.test("whatever record is written is read back the same", () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      fc.record({
        dataSetOffset: u32,
        dataSetLength: u53,
        crc32: u32,
        studyHash: u32,
        receivedMs: u53,
        sequence: u53,
        metaCrc32: u32,
        slot: fc.oneof(
          fc.constant(""),
          fc.tuple(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), u53)
            .map(([first, second]) => formatSlot(first, second)),
        ),
      }, { noNullPrototype: true }),
      (record) => {
        const into = new Uint8Array(128);
        putCommitRecord(into, record);
        assert.deepEqual(readCommitRecord(into), record);
      },
    ),
  );
});

Deno.test("a record with any one bit turned, cut short, or of another version is none", () => {
  const whole = new Uint8Array(128);
  putCommitRecord(whole, RECORD);
  for (let bit = 0; bit < 128 * 8; bit++) {
    const turned = whole.slice();
    turned[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(readCommitRecord(turned), undefined, `bit ${bit}`);
  }
  assert.equal(readCommitRecord(whole.subarray(0, 127)), undefined);
  assert.equal(readCommitRecord(new Uint8Array(128)), undefined);
  const newer = whole.slice();
  newer[8] = 2;
  new DataView(newer.buffer).setUint32(124, crc32(newer.subarray(0, 124)), true);
  assert.equal(readCommitRecord(newer), undefined);
});
