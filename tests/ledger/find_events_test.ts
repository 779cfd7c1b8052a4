/*
 * What the ledger says of one instance, found among many, in a bounded part of it, in words.
 */

import assert from "node:assert/strict";
import { formatEvent, type LedgerEvent } from "../../src/ledger/event.ts";
import { findEvents } from "../../src/ledger/find_events.ts";
import { inWords } from "../../src/ledger/in_words.ts";
import { formatBase } from "../../src/spool/entry_name.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { Scratch } from "../helpers/scratch.ts";

const DAY = Date.UTC(2026, 0, 15, 12);

function idOf(n: number): string {
  return formatBase({ receivedMs: DAY + n, sequence: n, studyHash: 1, crc32: n });
}

function removed(n: number): LedgerEvent {
  return { event: "removed", id: idOf(n), at: "2026-01-15T12:00:00Z", to: "pacs", by: "person" };
}

Deno.test("the events of one instance are found among a hundred thousand, each once, from its day on", async () => {
  await using scratch = await Scratch.make();
  const directory = scratch.folder("ledger");
  const held: LedgerEvent = {
    event: "held",
    id: idOf(70_000),
    at: "2026-01-16T00:00:00Z",
    to: "pacs",
    by: "person",
    who: "web 127.0.0.1",
  };
  const others = Array.from({ length: 100_000 }, (_, n) => formatEvent(removed(n)));
  const about = formatEvent({ ...held, who: `not ${idOf(70_000)}`, id: idOf(3) });
  Deno.writeTextFileSync(scratch.at("ledger", "20260114.jsonl"), formatEvent(removed(70_000)));
  Deno.writeTextFileSync(scratch.at("ledger", "20260115.jsonl"), others.join("") + about);
  Deno.writeTextFileSync(
    scratch.at("ledger", "20260116.jsonl"),
    `${"x".repeat(200_000)}\n${formatEvent(held)}${formatEvent(held)}{"event":"held","id":"${
      idOf(70_000)
    }`,
  );
  const found = await findEvents(realFileSystem, directory, idOf(70_000), 1e9);
  assert.deepEqual(found, { events: [removed(70_000), held], complete: true });
  assert.equal(inWords(held), "Held back from pacs by a person (web 127.0.0.1)");
});

Deno.test("of a ledger that is too long, the beginning and the end are looked through", async () => {
  await using scratch = await Scratch.make();
  const directory = scratch.folder("ledger");
  const lines = Array.from({ length: 30_000 }, (_, n) => formatEvent(removed(n)));
  const at = (n: number) => ({ ...removed(1), to: `p${n}` });
  lines.splice(10, 0, formatEvent(at(1)));
  lines.splice(15_000, 0, formatEvent(at(2)));
  lines.push(formatEvent(at(3)));
  Deno.writeTextFileSync(scratch.at("ledger", "20260115.jsonl"), lines.join(""));
  const { events, complete } = await findEvents(realFileSystem, directory, idOf(1), 200_000);
  assert.equal(complete, false);
  assert.deepEqual(events.map((event) => "to" in event && event.to), ["pacs", "p1", "p3"]);
});
