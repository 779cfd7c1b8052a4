/*
 * Spools in directories of their own, and instances in them.
 */

import { join, relative } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import type { FileMeta } from "../../src/dicom/part10.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { hashStudy } from "../../src/spool/entry_name.ts";
import type { Committed } from "../../src/spool/incoming.ts";
import { USED_ROOM } from "../../src/spool/slots.ts";
import { Spool } from "../../src/spool/spool.ts";
import type { FakeClock } from "./fake_clock.ts";
import { FaultyFiles } from "./faulty_files.ts";
import { isIdleSlot } from "./idle_slot.ts";
import { removeTree } from "./scratch.ts";

export const META: FileMeta = {
  sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
  sopInstanceUid: "1.2.3.4",
  transferSyntaxUid: EXPLICIT_VR_LE,
  sourceAeTitle: "MODALITY",
  receivingAeTitle: "FORWARDER",
};

/** A small data set, identified. */
export function dataSet(
  ids: { patient?: string; study?: string; series?: string; instance?: string } = {},
): Uint8Array {
  return encodeDataSet([
    [0x00080016, "UI", META.sopClassUid],
    [0x00080018, "UI", ids.instance ?? META.sopInstanceUid],
    [0x00080060, "CS", "CT"],
    [0x00100020, "LO", ids.patient ?? "P1"],
    [0x0020000d, "UI", ids.study ?? "1.2.3"],
    [0x0020000e, "UI", ids.series ?? "1.2.3.1"],
    [0x00280010, "US", 4],
  ]);
}

/** Free space that suffices for receiving, and not for keeping files that nobody needs any more. */
export const LITTLE_ROOM = USED_ROOM;

export class SpoolDirectory {
  readonly path: string;
  readonly files = new FaultyFiles();
  readonly reports: string[] = [];
  /** ms since 1970; goes on by itself only where a test says so. */
  time = 1_763_900_000_000;
  /** Whose timers the spool waits by; the system's own where undefined. */
  clock: FakeClock | undefined;

  constructor() {
    this.path = Deno.makeTempDirSync({ prefix: "spool-test-" });
  }

  /** Opens it as a start does, without recovery. */
  async open(minimumFreeSpace = 0): Promise<Spool> {
    return await Spool.open({
      directory: this.path,
      files: this.files,
      now: () => this.clock?.now() ?? this.time,
      after: (ms, callback) => (this.clock ?? systemClock).after(ms, callback),
      minimumFreeSpace,
      report: (message, error) => {
        this.reports.push(error === undefined ? message : `${message}: ${error}`);
      },
    });
  }

  /** Opens and recovers, as a start does; slots route to `destinations`. */
  async start(
    destinations: readonly string[] = ["a"],
  ): Promise<{ spool: Spool; entries: Entry[] }> {
    const spool = await this.open();
    const entries = await spool.recover(() => Promise.resolve(destinations));
    return { spool, entries };
  }

  /** All files below, without the slots that wait, empty or with what they held before, and what a spool always has. */
  listing(): string[] {
    const found: string[] = [];
    const walk = (directory: string) => {
      for (const entry of Deno.readDirSync(directory)) {
        const path = join(directory, entry.name);
        if (entry.isDirectory) walk(path);
        else found.push(relative(this.path, path).replaceAll("\\", "/"));
      }
    };
    walk(this.path);
    return found.filter((path) => {
      if (path === "VERSION" || path === "LOCK") return false;
      return !path.startsWith("incoming") || !isIdleSlot(join(this.path, path));
    }).sort();
  }

  remove(): void {
    removeTree(this.path);
  }
}

/** Runs with a spool directory and removes it. */
export async function withSpool(use: (directory: SpoolDirectory) => Promise<void>): Promise<void> {
  const directory = new SpoolDirectory();
  try {
    await use(directory);
  } finally {
    directory.remove();
  }
}

/** Receives an instance and commits it; the queue does not know of it yet. */
export async function commit(
  spool: Spool,
  bytes: Uint8Array = dataSet(),
  meta: Partial<FileMeta> = {},
  study = "1.2.3",
): Promise<Committed> {
  const incoming = await spool.begin({ ...META, ...meta });
  for (let at = 0; at < bytes.length; at += 50_000) {
    incoming.write(bytes.subarray(at, at + 50_000));
  }
  return await incoming.commit(hashStudy(study));
}

/** Receives an instance into the queue. */
export async function store(
  spool: Spool,
  destinations: readonly string[],
  bytes: Uint8Array = dataSet(),
  meta: Partial<FileMeta> = {},
): Promise<Entry> {
  return spool.enqueue(await commit(spool, bytes, meta), destinations);
}
