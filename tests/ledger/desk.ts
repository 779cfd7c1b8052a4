/*
 * A ledger in a folder of its own, over simulated time and files that fail where a test says so.
 */

import type { LedgerEvent, Untimed } from "../../src/ledger/event.ts";
import { ledgerFiles, readLedger } from "../../src/ledger/files.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { realFileSystem } from "../../src/spool/file_system.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { Scratch } from "../helpers/scratch.ts";

/** 2026-01-15 12:00 UTC */
export const NOON = Date.UTC(2026, 0, 15, 12);

export function removed(n: number): Untimed {
  return { event: "removed", id: `id-${n}`, to: "pacs", by: "person" };
}

export class Desk {
  readonly files = new FaultyFiles();
  readonly clock = new FakeClock(NOON);
  readonly reports: string[] = [];
  readonly directory: string;

  constructor(scratch: Scratch) {
    this.directory = scratch.at("ledger");
  }

  open(retentionDays = 400): Ledger {
    return Ledger.open({
      files: this.files,
      directory: this.directory,
      clock: this.clock,
      retentionDays,
      report: (message, error) =>
        this.reports.push(error === undefined ? message : `${message}: ${error}`),
    });
  }

  async read(): Promise<{ ids: string[]; unreadable: number }> {
    const events: LedgerEvent[] = [];
    const reading = await readLedger(realFileSystem, this.directory, (event) => events.push(event));
    return { ids: events.map((event) => event.id), unreadable: reading.unreadable };
  }

  names(): string[] {
    return ledgerFiles(realFileSystem, this.directory);
  }
}

export async function atDesk(use: (desk: Desk) => Promise<void>): Promise<void> {
  await using scratch = await Scratch.make();
  await use(new Desk(scratch));
}
