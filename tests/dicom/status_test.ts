/*
 * All 65,536 C-STORE statuses against the table of answers, written down once more (PS3.7 Annex C, PS3.4 Table B.2-1).
 */

import assert from "node:assert/strict";
import { classifyStoreStatus, describeStatus, type StatusClass } from "../../src/dicom/status.ts";

/** First, last (inclusive), class; what no line names is no answer to C-STORE. */
const TABLE: readonly [number, number, StatusClass][] = [
  [0x0000, 0x0000, "stored"],
  [0x0001, 0x0001, "stored-with-warning"],
  [0x0105, 0x0106, "refused"],
  [0x0107, 0x0107, "stored-with-warning"],
  [0x0110, 0x0110, "out-of-resources"],
  [0x0111, 0x0111, "duplicate"],
  [0x0112, 0x0112, "refused"],
  [0x0114, 0x0115, "refused"],
  [0x0116, 0x0116, "stored-with-warning"],
  [0x0117, 0x0119, "refused"],
  [0x0120, 0x0122, "refused"],
  [0x0124, 0x0124, "not-authorised"],
  [0x0210, 0x0212, "protocol-error"],
  [0x0213, 0x0213, "out-of-resources"],
  [0xa700, 0xa7ff, "out-of-resources"],
  [0xa900, 0xa9ff, "refused"],
  [0xb000, 0xbfff, "stored-with-warning"],
  [0xc000, 0xcfff, "refused"],
];

Deno.test("each of the 65,536 statuses means what the table of answers says", () => {
  const wanted = new Array<StatusClass>(0x10000).fill("not-an-answer");
  for (const [first, last, kind] of TABLE) wanted.fill(kind, first, last + 1);
  for (let status = 0; status < 0x10000; status++) {
    assert.equal(classifyStoreStatus(status), wanted[status], status.toString(16));
  }
});

Deno.test("no status at all is no answer", () => {
  assert.equal(classifyStoreStatus(undefined), "not-an-answer");
  assert.equal(describeStatus(undefined), "an answer without a status");
});

Deno.test("every status is described with its number in four hexadecimal digits", () => {
  for (let status = 0; status < 0x10000; status++) {
    const digits = status.toString(16).toUpperCase().padStart(4, "0");
    assert.ok(describeStatus(status).includes(digits), describeStatus(status));
  }
  assert.equal(describeStatus(0xa701), "Out of resources (A701)");
  assert.equal(describeStatus(0x0122), "SOP class not supported (0122)");
});
