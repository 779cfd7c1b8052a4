/*
 * `verify`: is everything that was ever answered with Success accounted for?
 *
 * Holds the ledger against the spool, whether a forwarder runs or not, and on request reads every stored file through. It
 * changes nothing, but for the one line that a person may ask for: that what is missing has been seen.
 */

import type { Config } from "../config/load.ts";
import { type Balance, type Missing, reconcile } from "../ledger/reconcile.ts";
import { receivedAt } from "../ledger/history.ts";
import { escapeText } from "../log.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { listItems } from "../spool/inspect.ts";
import { spoolPaths } from "../spool/paths.ts";
import { CorruptError, StoredInstance } from "../spool/stored_instance.ts";
import { ExitCode } from "./exit_code.ts";
import { openLedgerByHand } from "./ledger_by_hand.ts";
import { printJson, printLine, table } from "./terminal.ts";

export interface VerifyOptions {
  readonly json: boolean;
  /** Read every stored file through and compare its checksum. */
  readonly files: boolean;
  /** Write down that what is missing has been seen. */
  readonly settle: boolean;
}

const COLUMNS = [
  "accepted",
  "delivered",
  "queued",
  "failed",
  "held",
  "corrupt",
  "removed",
  "settled",
  "missing",
] as const;

/** Runs `verify`. The exit code is 1 where anything is missing or damaged. */
export async function verifyCommand(config: Config, options: VerifyOptions): Promise<ExitCode> {
  const ledgerDirectory = spoolPaths(config.spoolDir).ledger;
  const balance = await reconcile(realFileSystem, {
    spoolDirectory: config.spoolDir,
    ledgerDirectory,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const damaged = options.files ? await damagedFiles(config.spoolDir) : undefined;
  if (options.json) {
    printJson({
      ok: balance.missing.length === 0 && (damaged?.length ?? 0) === 0,
      destinations: Object.fromEntries(balance.destinations),
      missing: balance.missing,
      unreadable: balance.unreadable,
      ledger: balance.files,
      ...(damaged === undefined ? {} : { damaged }),
    });
  } else print(balance, damaged);
  if (options.settle) await settle(ledgerDirectory, balance.missing, options.json);
  return balance.missing.length > 0 || (damaged?.length ?? 0) > 0 ? ExitCode.Failed : ExitCode.Ok;
}

function print(balance: Balance, damaged: readonly string[] | undefined): void {
  const rows = [...balance.destinations].map(([destination, one]) => [
    destination,
    ...COLUMNS.map((key) => String(one[key])),
  ]);
  for (const line of table([["destination", ...COLUMNS], ...rows])) printLine(line);
  printLine();
  const { files, unreadable, missing } = balance;
  if (files.length === 0) printLine("There is no ledger yet: nothing has been received.");
  else printLine(`Ledger: ${files.length} files, ${files[0]} to ${files.at(-1)}.`);
  if (unreadable > 0) {
    printLine(`${unreadable} lines cannot be read: a crash cuts the last one short.`);
  }
  if (damaged !== undefined) {
    printLine(damaged.length === 0 ? "Every stored file matches its checksum." : "DAMAGED:");
    for (const line of damaged) printLine(`  ${escapeText(line, 1024)}`);
  }
  if (missing.length === 0) {
    printLine("Nothing is missing.");
    return;
  }
  printLine(`${missing.length} MISSING: accepted, not delivered, and nowhere in the spool:`);
  for (const { id, destination, accepted } of missing) {
    const who = accepted === undefined
      ? ""
      : `  SOP instance ${escapeText(accepted.sop)} of study ${escapeText(accepted.study)}, ` +
        `received ${receivedAt(accepted)} from ${escapeText(accepted.from)}`;
    printLine(`  ${id} for ${destination}${who}`);
  }
}

/** Files of the queue and of `failed/` that are not what was committed. */
async function damagedFiles(spoolDirectory: string): Promise<string[]> {
  const paths = new Set([...listItems(realFileSystem, spoolDirectory)].map((item) => item.path));
  const damaged: string[] = [];
  for (const path of paths) {
    try {
      const instance = StoredInstance.open(realFileSystem, path);
      try {
        // Delivered while it was read, it may have become another one's file.
        if (!await instance.readThrough() && realFileSystem.exists(path)) {
          damaged.push(`${path} does not match its checksum`);
        }
      } finally {
        instance.close();
      }
    } catch (error) {
      // Delivered between the listing and now.
      if (error instanceof Deno.errors.NotFound) continue;
      if (!(error instanceof CorruptError)) throw error;
      if (realFileSystem.exists(path)) damaged.push(error.message);
    }
  }
  return damaged;
}

async function settle(
  directory: string,
  missing: readonly Missing[],
  quiet: boolean,
): Promise<void> {
  if (missing.length === 0) return;
  const ledger = openLedgerByHand(directory);
  for (const { id, destination } of missing) {
    ledger.append({ event: "settled", id, to: destination, by: "person" });
  }
  await ledger.close();
  if (!quiet) printLine(`Written down as seen: ${missing.length}. They raise no alarm any more.`);
}
