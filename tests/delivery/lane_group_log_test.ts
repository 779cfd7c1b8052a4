/*
 * What delivery writes into the log while a destination is out for a day: enough to know, not enough to drown in.
 */

import assert from "node:assert/strict";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { DestinationError } from "../../src/delivery/outcome.ts";
import { inHouse } from "../helpers/delivery_house.ts";
import { DOWN, entries, type ScriptedDestination } from "../helpers/scripted_destination.ts";

/** Runs with the program's log going into a list. */
async function logged(use: () => Promise<void>): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: { list: (record) => records.push(record) },
    loggers: [
      { category: "dicom-forwarder", sinks: ["list"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "warning" },
    ],
  });
  try {
    await use();
  } finally {
    await reset();
  }
  return records;
}

for (
  const [name, script] of [
    ["that refuses connections", (pacs: ScriptedDestination) => pacs.unreachable = DOWN],
    [
      "that accepts and never answers",
      (pacs: ScriptedDestination) =>
        pacs.answer = () => ({ kind: "interrupted", reason: "no answer to the request" }),
    ],
    [
      "that is full",
      (pacs: ScriptedDestination) =>
        pacs.answer = () => ({ kind: "out-of-resources", reason: "A700" }),
    ],
    [
      "that does not let us in",
      (pacs: ScriptedDestination) =>
        pacs.unreachable = new DestinationError("misconfigured", "rejected"),
    ],
  ] as const
) {
  Deno.test(`a day of a destination ${name} with 10,000 waiting logs less than 200 lines`, async () => {
    const records = await logged(() =>
      inHouse(async (house) => {
        house.random = 0.5;
        const pacs = house.destination();
        pacs.sessions = 4;
        script(pacs);
        house.group(pacs).add(entries(10_000));
        await house.clock.advance(86_400_000);
        assert.equal(house.spool.failed.length, 0);
      })
    );
    assert.ok(records.length < 200, `${records.length} lines`);
    assert.ok(records.length > 10, "and is not forgotten either");
  });
}

Deno.test("a destination that is down is not forgotten by the log because the clock is set back by a day", async () => {
  let before = 0;
  const records = await logged(() =>
    inHouse(async (house) => {
      const pacs = house.destination();
      pacs.unreachable = DOWN;
      house.group(pacs).add(entries(1));
      await house.clock.advance(3_600_000);
      before = pacs.opened.length;
      house.clock.correct(-86_400_000);
      await house.clock.advance(3 * 3_600_000);
    })
  );
  assert.ok(before > 0);
  const summaries = records.filter(({ rawMessage }) => String(rawMessage).includes("still down"));
  // One in a quarter of an hour at most, as far as attempts fall on it: four hours of them.
  assert.ok(summaries.length >= 8, `${summaries.length} summaries`);
});
