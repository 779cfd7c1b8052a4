/*
 * A day of trouble with 10,000 instances waiting, on simulated time but with the real log: its files stay small enough to
 * be kept and read, whatever the trouble is.
 */

import assert from "node:assert/strict";
import { DestinationError, type Outcome } from "../../src/delivery/outcome.ts";
import { captureLog } from "../helpers/log_file.ts";
import { inHouse } from "../helpers/delivery_house.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import {
  DELIVERED,
  DOWN,
  entries,
  type ScriptedDestination,
} from "../helpers/scripted_destination.ts";

const WAITING = 10_000;
const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

/** As long as what peers and systems say becomes. */
const REASON = `Out of resources (A700): ${"no space left on the archive's volume ".repeat(10)}`;

interface Trouble {
  readonly name: string;
  readonly script: (pacs: ScriptedDestination) => void;
  /** Lines for the day. Where every instance has a fate of its own, each may have its own few. */
  readonly mostLines: number;
}

function answering(outcome: () => Outcome): (pacs: ScriptedDestination) => void {
  return (pacs) => pacs.answer = outcome;
}

function everyOther(): () => Outcome {
  let attempts = 0;
  return () => ++attempts % 2 === 0 ? DELIVERED : { kind: "interrupted", reason: REASON };
}

const TROUBLES: readonly Trouble[] = [
  { name: "cannot be reached", script: (pacs) => pacs.unreachable = DOWN, mostLines: 200 },
  {
    name: "does not let us in",
    script: (pacs) => pacs.unreachable = new DestinationError("misconfigured", REASON),
    mostLines: 200,
  },
  {
    name: "authorises no instance",
    script: answering(() => ({ kind: "misconfigured", reason: REASON })),
    mostLines: 1000,
  },
  {
    name: "is full",
    script: answering(() => ({ kind: "out-of-resources", reason: REASON })),
    mostLines: 200,
  },
  {
    name: "never answers",
    script: answering(() => ({ kind: "interrupted", reason: REASON })),
    mostLines: 200,
  },
  {
    name: "breaks off at every other instance",
    script: (pacs) => pacs.answer = everyOther(),
    mostLines: 6 * WAITING,
  },
  {
    name: "refuses every instance",
    script: answering(() => ({ kind: "refused", reason: REASON })),
    mostLines: 6 * WAITING,
  },
];

for (const { name, script, mostLines } of TROUBLES) {
  Deno.test(`a day of a destination that ${name}, with 10,000 waiting, fills less than 50 MiB of log`, async () => {
    await using scratch = await Scratch.make();
    const log = await captureLog(scratch.at("logs"));
    let lines: string[] = [];
    let settled = 0;
    try {
      await inHouse(async (house) => {
        house.random = 0.5;
        const pacs = house.destination();
        pacs.sessions = 4;
        script(pacs);
        const group = house.group(pacs);
        group.add(entries(WAITING));
        await house.clock.advance(DAY_MS);
        const { waiting, delivered, failed } = group.snapshot();
        settled = waiting + delivered + failed;
        assert.ok(
          pacs.opened.length > 100 || delivered + failed === WAITING,
          "it was tried all day",
        );
      });
    } finally {
      lines = await log();
    }
    assert.equal(settled, WAITING, "every instance waits, has arrived or is kept");
    const bytes = filesIn(scratch.at("logs")).reduce(
      (sum, path) => sum + Deno.statSync(path).size,
      0,
    );
    assert.ok(bytes > 1000 && bytes < 50 * MIB, `${bytes} bytes`);
    assert.ok(lines.length <= mostLines, `${lines.length} lines`);
  });
}
