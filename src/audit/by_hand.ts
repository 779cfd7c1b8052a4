/*
 * What commands of another process did to instances, handed to the audit trail of the forwarder that runs, or of the next
 * one, by files in its folder: `hand-*.json`, each written under another name first.
 */

import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { type FileSystem, readFully, replaceTextFile } from "../spool/file_system.ts";
import { Gatherer, type Group, readGroups, type Told } from "./gather.ts";

const NAME = /^hand-\d+-\d+\.json$/;
/** The longest that is read, in bytes. */
const LONGEST = 64 * 1024 * 1024;

/** Leaves what was done, gathered by study. */
export function leaveByHand(
  files: FileSystem,
  directory: string,
  told: readonly Told[],
  clock: Clock,
  process: number,
): void {
  const groups: Group[] = [];
  const gatherer = new Gatherer({ now: () => clock.now(), after: () => () => {} }, (gathered) => {
    const { deed, by, place, reason, classes, accessions, first, last, facts } = gathered;
    const of = { deed, by, place, reason, session: "", study: "" };
    groups.push({
      told: of,
      facts,
      classes: { ...classes },
      accessions: [...accessions],
      count: 0,
      first,
      last,
    });
  }, () => undefined);
  for (const one of told) gatherer.add(one);
  gatherer.flush();
  if (groups.length === 0) return;
  files.makeDirectory(directory);
  const path = join(directory, `hand-${clock.now()}-${process}.json`);
  replaceTextFile(files, `${path}.part`, JSON.stringify(groups));
  files.rename(`${path}.part`, path);
}

/**
 * What was left.
 *
 * @returns what to call when it is in the store: the files go then
 */
export function takeByHand(
  files: FileSystem,
  directory: string,
): { readonly groups: readonly Group[]; readonly done: () => void } {
  const groups: Group[] = [];
  const paths: string[] = [];
  for (const name of files.list(directory)) if (NAME.test(name)) paths.push(join(directory, name));
  for (const path of paths.sort()) groups.push(...readGroups(readText(files, path)));
  return {
    groups,
    done: () => {
      for (const path of paths) files.remove(path);
    },
  };
}

function readText(files: FileSystem, path: string): string {
  const bytes = new Uint8Array(Math.min(LONGEST, files.measure(path).size));
  const file = files.open(path, "read");
  try {
    return new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes)));
  } finally {
    file.close();
  }
}
