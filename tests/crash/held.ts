/*
 * What a spool holds, read from its files while no forwarder runs on it.
 *
 * Data sets are read and hashed by the tests' own reader. Of the program only the names and the examination of a slot are
 * used: whether a slot counts is what the commit record says.
 */

import { crc32 } from "node:zlib";
import { basename, join } from "node:path";
import { readCommitRecord } from "../../src/spool/commit_record.ts";
import { parseName } from "../../src/spool/entry_name.ts";
import { factsOf } from "../helpers/hashes.ts";
import { contentsOf } from "../helpers/scratch.ts";

export type Place = "slot" | "queue" | "failed" | "held" | "retry" | "corrupt";

export interface Held {
  readonly place: Place;
  readonly path: string;
  readonly sopInstanceUid: string;
  readonly hash: string;
  /** Undefined for all that the routes say: a slot, or a damaged file. */
  readonly destinations: readonly string[] | undefined;
}

/** Files and folders of a spool that are no instances. */
const FURNITURE =
  /^(LOCK|VERSION|(alarms|control|health|paused)\.json|(incoming|failed|held|retry|corrupt|ledger|queue|audit)\/)$/;

/** All instances in a spool that no forwarder runs on; files that are none are left out. */
export function heldIn(spool: string): Held[] {
  const held: Held[] = [];
  for (const name of instanceFiles(spool)) {
    const [folder, destination] = name.split("/");
    const path = join(spool, name);
    const parsed = parseName(basename(name));
    switch (folder) {
      case "incoming":
        if (name.endsWith(".part") && Deno.statSync(path).size > 0) {
          if (isCommitted(Deno.readFileSync(path), basename(name))) {
            held.push(heldAs("slot", path, undefined));
          }
        }
        break;
      case "queue":
      case "retry":
        if (parsed !== undefined) {
          held.push(heldAs(folder, path, parsed.waiting.map((one) => one.destination)));
        }
        break;
      case "failed":
      case "held":
        if (parsed !== undefined) held.push(heldAs(folder, path, [destination!]));
        break;
      case "corrupt":
        if (parsed !== undefined) held.push(heldAs("corrupt", path, undefined));
        break;
    }
  }
  return held;
}

/** Whether a slot's bytes are a whole instance that came into this slot, as its commit record says. */
function isCommitted(bytes: Uint8Array, slot: string): boolean {
  const record = readCommitRecord(bytes);
  if (record === undefined || (record.slot !== "" && record.slot !== slot)) return false;
  const end = record.dataSetOffset + record.dataSetLength;
  return bytes.length >= end && crc32(bytes.subarray(record.dataSetOffset, end)) === record.crc32;
}

function heldAs(place: Place, path: string, destinations: readonly string[] | undefined): Held {
  // A damaged file may not even have a head that says whose it is.
  if (place === "corrupt") return { place, path, sopInstanceUid: "", hash: "", destinations };
  const { sopInstanceUid, hash } = factsOf(path);
  return { place, path, sopInstanceUid, hash, destinations };
}

function instanceFiles(spool: string): string[] {
  return contentsOf(spool).filter((name) => !name.endsWith("/") && !name.startsWith("ledger/"));
}

/** Everything in a spool that has nothing to do any more and should have nothing left: what is there is stray. */
export function strayIn(spool: string): string[] {
  return contentsOf(spool).filter((name) => {
    if (name.startsWith("ledger/") || FURNITURE.test(name)) return false;
    if (/^queue\/[0-9a-f]{2}\/$/.test(name)) return false;
    // Left by a command for the next forwarder, which looks there a second after its start, or by one that was killed.
    if (/^retry\/[0-9-]+\.notice(\.part)?$/.test(name)) return false;
    return !/^(failed|held)\/[a-z0-9-]+\/$/.test(name);
  });
}

/** True where nothing waits in the queue and no slot holds anything. */
export function isDrained(spool: string): boolean {
  return !contentsOf(spool).some((name) => name.startsWith("queue/") && name.endsWith(".dcm"));
}

/** True where a slot still holds an instance that did not come into it. */
export function hasUsedSlot(spool: string): boolean {
  return contentsOf(spool).some((name) => {
    if (!name.startsWith("incoming/") || !name.endsWith(".part")) return false;
    const record = readCommitRecord(Deno.readFileSync(join(spool, name)));
    return record !== undefined && record.slot !== basename(name);
  });
}
