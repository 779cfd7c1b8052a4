/*
 * The ledger's lines: what is written is read back, and what a crash or a stranger left is no event.
 */

import assert from "node:assert/strict";
import {
  formatEvent,
  type LedgerEvent,
  parseEvent,
  parseForAccount,
} from "../../src/ledger/event.ts";
import { accepted, AT, delivered, ID } from "./events.ts";

const EVENTS: readonly LedgerEvent[] = [
  accepted(ID, ["pacs", "archive"]),
  { ...accepted(ID, []), received: AT },
  delivered(ID, "pacs"),
  { event: "failed", id: ID, at: AT, to: "pacs", kind: "refused", reason: 'a "b"\n', tries: 4 },
  { event: "retried", id: ID, at: AT, by: "person", of: "pacs", for: ["pacs"] },
  { event: "corrupt", id: ID, at: AT, reason: "checksum" },
  { event: "removed", id: ID, at: AT, to: "pacs", by: "person" },
  { event: "settled", id: ID, at: AT, to: "pacs", by: "person" },
];

Deno.test("every event is one line, and reads back as it was", () => {
  for (const event of EVENTS) {
    const line = formatEvent(event);
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.deepEqual(parseEvent(line), event);
  }
});

Deno.test("what an account needs of a line is what the whole line says, whatever is in its texts", () => {
  const hostile = '","for":["x"]} ,"to":"y"';
  const events: LedgerEvent[] = [
    ...EVENTS,
    { ...accepted(ID, ["pacs"]), from: hostile, study: hostile },
    { ...delivered(ID, "pacs"), answer: hostile, sop: hostile },
  ];
  for (const event of events) {
    const found = parseForAccount(formatEvent(event).trimEnd())!;
    for (const [key, value] of Object.entries(found)) {
      assert.deepEqual(value, (event as unknown as Record<string, unknown>)[key], key);
    }
    for (const key of ["event", "id", "for", "to", "of"]) {
      assert.equal(key in found, key in event, `${key} of ${event.event}`);
    }
  }
});

Deno.test("a line cut anywhere is no event", () => {
  for (const event of EVENTS) {
    const line = formatEvent(event).trimEnd();
    for (let length = 0; length < line.length; length++) {
      assert.equal(parseEvent(line.slice(0, length)), undefined, line.slice(0, length));
      assert.equal(parseForAccount(line.slice(0, length)), undefined, line.slice(0, length));
    }
  }
});

const STRANGERS: readonly string[] = [
  "\0\0\0\0",
  "null",
  "[]",
  '"accepted"',
  "{}",
  '{"event":"constructor","id":"1","at":"2"}',
  '{"event":"__proto__","id":"1","at":"2"}',
  '{"event":"delivered","id":"1","at":"2"}',
  '{"event":"delivered","id":1,"at":"2","to":"a","sop":"b","answer":"c"}',
  formatEvent(accepted(ID, ["pacs"])).replace('["pacs"]', '"pacs"'),
  formatEvent(accepted(ID, ["pacs"])).replace('["pacs"]', "[7]"),
];

for (const line of STRANGERS) {
  Deno.test(`${JSON.stringify(line.slice(0, 60))} is no event`, () => {
    assert.equal(parseEvent(line), undefined);
  });
}
