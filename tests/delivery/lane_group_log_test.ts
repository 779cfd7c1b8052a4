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
