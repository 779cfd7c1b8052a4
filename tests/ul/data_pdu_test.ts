/*
 * P-DATA-TF as it is written: header, fragment lengths, command sets cut to them (PS3.8 §9.3.5, Annex E).
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/dicom/bytes.ts";
import { PduType } from "../../src/ul/pdu.ts";
import {
  dataThatFits,
  encodeCommandPdus,
  fragmentLength,
  putDataHeader,
  spreadData,
} from "../../src/ul/pdu_encode.ts";
import { bytes, hex } from "../helpers/hex.ts";

Deno.test("a P-DATA-TF header is laid out as PS3.8 Table 9-22, 9-23 and Annex E.2 say", () => {
  const into = new Uint8Array(14).fill(0xee);
  putDataHeader(into, 1, 5, 0x01020304, true, false);
  // 04 reserved, length = fragment + 6; PDV length = fragment + 2, context id, control header
  assert.equal(hex(into), hex(bytes("ee 04 00 0102030a 01020306 05 01 ee")));
  putDataHeader(into, 1, 7, 2, false, true);
  assert.equal(hex(into.subarray(7)), hex(bytes("00000004 07 02 ee")));
  putDataHeader(into, 1, 7, 2, true, true);
  assert.equal(into[12], 3);
  putDataHeader(into, 1, 7, 2, false, false);
  assert.equal(into[12], 0);
});

Deno.test("fragments are even and, with their header, never over the peer's maximum or our cap", () => {
  for (const maximum of [8, 9, 12, 13, 128, 129, 16384, 131072, 0x7fffffff, 0xffffffff, 0]) {
    const fragment = fragmentLength(maximum, 131072);
    assert.equal(fragment % 2, 0, `maximum ${maximum}`);
    const limit = maximum === 0 ? 131072 : Math.min(maximum, 131072);
    assert.ok(fragment + 6 <= limit, `maximum ${maximum}: ${fragment}`);
    assert.ok(fragment + 8 > limit, `maximum ${maximum} is used: ${fragment}`);
  }
  for (const maximum of [1, 5, 6, 7]) {
    assert.throws(() => fragmentLength(maximum, 131072), RangeError, `maximum ${maximum}`);
  }
});

Deno.test("a command set is cut into PDUs of the fragment length, the last one flagged", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 40 }).map((half) => half * 2),
      (command, fragment) => {
        const wire = encodeCommandPdus(9, command, fragment);
        const view = new DataView(wire.buffer, wire.byteOffset);
        const found: Uint8Array[] = [];
        for (let at = 0; at < wire.length;) {
          const length = view.getUint32(at + 2);
          assert.equal(wire[at], PduType.Data);
          assert.equal(view.getUint32(at + 6), length - 4, "one PDV fills the PDU");
          assert.ok(length - 6 <= fragment);
          assert.equal(wire[at + 10], 9);
          const end = at + 6 + length;
          assert.equal(wire[at + 11], end === wire.length ? 3 : 1);
          found.push(wire.subarray(at + 12, end));
          at = end;
        }
        assert.equal(hex(concat(found)), hex(command));
        assert.equal(found.length, Math.ceil(command.length / fragment));
      },
    ),
  );
});

Deno.test("a piece of a data set in one stretch becomes PDUs of its fragments, in place, and touches nothing beside them", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 40 }).map((half) => half * 2),
      fc.integer({ min: 0, max: 5 }),
      fc.boolean(),
      (data, fragment, offset, last) => {
        const pdus = Math.ceil(data.length / fragment);
        const into = new Uint8Array(offset + data.length + pdus * 12 + 3).fill(0xee);
        into.set(data, offset + 12);
        const end = spreadData(into, offset, 7, data.length, fragment, last);
        assert.equal(end, into.length - 3);
        assert.ok(into.subarray(0, offset).every((byte) => byte === 0xee), "before it");
        assert.ok(into.subarray(end).every((byte) => byte === 0xee), "behind it");
        const wanted: Uint8Array[] = [];
        for (let at = 0; at < data.length; at += fragment) {
          const piece = data.subarray(at, at + fragment);
          const header = new Uint8Array(12);
          const ends = last && at + fragment >= data.length;
          putDataHeader(header, 0, 7, piece.length, false, ends);
          wanted.push(header, piece);
        }
        assert.equal(hex(into.subarray(offset, end)), hex(concat(wanted)));
      },
    ),
  );
});

Deno.test("what fits is whole fragments, or all that is left, and no byte more would fit", () => {
  fc.assert(
    fc.property(
      fc.nat(2000),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 100 }).map((half) => half * 2),
      (room, left, fragment) => {
        const onWire = (length: number) => length + Math.ceil(length / fragment) * 12;
        const fits = dataThatFits(room, left, fragment);
        assert.ok(onWire(fits) <= room && fits <= left);
        if (fits === left) return;
        assert.equal(fits % fragment, 0);
        assert.ok(onWire(Math.min(left, fits + fragment)) > room);
      },
    ),
  );
});
