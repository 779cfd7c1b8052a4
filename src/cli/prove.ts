/*
 * `prove`: what was received of a study, when, with which checksum, and what each destination answered.
 */

import type { Config } from "../config/load.ts";
import { type History, historyOf, receivedAt, type Standing } from "../ledger/history.ts";
import { escapeText } from "../log.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { spoolPaths } from "../spool/paths.ts";
import { ExitCode } from "./exit_code.ts";
import { formatBytes, printJson, printLine, table, warnLine } from "./terminal.ts";

/** Runs `prove`. The exit code is 0 where every destination has every instance. */
export async function proveCommand(config: Config, uid: string, json: boolean): Promise<ExitCode> {
  const histories = await historyOf(
    realFileSystem,
    { ledger: spoolPaths(config.spoolDir).ledger, spool: config.spoolDir },
    uid,
    (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  );
  const complete = histories.length > 0 &&
    histories.every(({ standings }) => standings.every((one) => one.state === "delivered"));
  if (json) {
    printJson({
      uid,
      complete,
      instances: histories.map(({ accepted, standings, events }) => ({
        ...accepted,
        received: receivedAt(accepted),
        destinations: standings,
        events,
      })),
    });
  } else if (histories.length === 0) {
    warnLine(
      `The ledger has no instance of ${escapeText(uid)}: it was not received here within ` +
        `${config.ledgerRetentionDays} days (ledger_retention_days).`,
    );
  } else print(uid, histories);
  return complete ? ExitCode.Ok : ExitCode.Failed;
}

function print(uid: string, histories: readonly History[]): void {
  const first = histories[0]!.accepted;
  const last = histories.at(-1)!.accepted;
  const bytes = histories.reduce((sum, { accepted }) => sum + accepted.bytes, 0);
  const senders = new Set(histories.map(({ accepted }) => accepted.from));
  printLine(`${escapeText(uid)}: ${histories.length} received, ${formatBytes(bytes)}`);
  printLine(`from ${[...senders].map((one) => escapeText(one)).join(", ")}`);
  printLine(`between ${receivedAt(first)} and ${receivedAt(last)} (UTC, as all times here)`);
  printLine();
  for (const line of table([["destination", "delivered", "not"], ...summary(histories)])) {
    printLine(line.trimEnd());
  }
  for (const { accepted, standings } of histories) {
    printLine();
    printLine(`SOP instance ${escapeText(accepted.sop)}`);
    const peer = accepted.peer === undefined ? "" : ` (${accepted.peer})`;
    const rows = [[
      "  received",
      `${receivedAt(accepted)} from ${escapeText(accepted.from)}${peer}, ` +
      `${accepted.bytes} bytes of data set, CRC-32 ${accepted.crc32}, kept as ${accepted.id}`,
    ]];
    for (const standing of standings) {
      rows.push([`  ${standing.destination}`, inWords(standing)]);
    }
    for (const line of table(rows)) printLine(line);
  }
}

/** A row for each destination: how many it has, and what is the matter with the others. */
function summary(histories: readonly History[]): string[][] {
  const counts = new Map<string, Map<Standing["state"], number>>();
  for (const { standings } of histories) {
    for (const { destination, state } of standings) {
      const states = counts.get(destination) ?? new Map<Standing["state"], number>();
      counts.set(destination, states);
      states.set(state, (states.get(state) ?? 0) + 1);
    }
  }
  return [...counts].map(([destination, states]) => {
    const rest = [...states].filter(([state]) => state !== "delivered");
    return [
      destination,
      `${states.get("delivered") ?? 0} of ${histories.length}`,
      rest.map(([state, count]) => `${count} ${WORDS[state]}`).join(", "),
    ];
  });
}

const WORDS: Readonly<Record<Standing["state"], string>> = {
  delivered: "delivered",
  queued: "waiting in the queue",
  failed: "given up and kept in failed/",
  held: "held back in held/",
  corrupt: "damaged and kept in corrupt/",
  removed: "removed by a person",
  missing: "MISSING",
};

function inWords({ state, delivery, reason }: Standing): string {
  if (delivery === undefined) {
    return WORDS[state] + (reason === undefined ? "" : `: ${escapeText(reason, 1024)}`);
  }
  const association = delivery.association === undefined
    ? ""
    : `, association ${escapeText(delivery.association)}`;
  return `${delivery.at} ${escapeText(delivery.answer, 1024)}${association}`;
}
