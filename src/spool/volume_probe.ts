/*
 * What can be found out about the volume of a spool, and what follows: a refusal, a warning, or nothing.
 *
 * Owns two small files for a moment, in the spool's folder or, before there is one, in the nearest folder above it. What
 * the system does not say, or this user may not try, stays unknown and is held against nobody.
 */

import { statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { SpoolError } from "./version.ts";
import { judgeVolume, type VolumeFacts, type VolumeVerdict } from "./volume.ts";

/** The key of the configuration by which a person insists. */
const INSIST = "allow_unsafe_spool_volume";

/** A time that neither FAT (2 s) nor exFAT (10 ms) can keep: an odd second and 3 ms. */
const ODD_TIME_MS = 1_700_000_001_003;

/**
 * Finds out about the volume that a folder is on, or will be when it is made.
 *
 * @param directory absolute
 */
export function probeVolume(directory: string): VolumeFacts {
  const there = nearest(directory);
  const onLinux = Deno.build.os === "linux";
  return {
    system: Deno.build.os,
    path: directory,
    realPath: there === undefined ? undefined : orUndefined(() => Deno.realPathSync(there)),
    type: there === undefined || !onLinux ? undefined : orUndefined(() => statfsSync(there).type),
    // Linux has told what it is; there is no need to write anything.
    ...(there === undefined || onLinux ? UNTRIED : behaviourOf(there)),
  };
}

/**
 * Holds a spool's volume against what a spool needs.
 *
 * @param allowUnsafe whether a person insists on a volume that is not safe
 * @returns what a person should be told all the same, as a sentence
 * @throws {SpoolError} where the volume is refused
 */
export function checkVolume(directory: string, allowUnsafe: boolean): string | undefined {
  return volumeWarning(directory, judgeVolume(probeVolume(directory)), allowUnsafe);
}

/**
 * What follows from a verdict: see `checkVolume`.
 *
 * @throws {SpoolError} where the volume is refused
 */
export function volumeWarning(
  directory: string,
  verdict: VolumeVerdict,
  allowUnsafe: boolean,
): string | undefined {
  switch (verdict.kind) {
    case "sound":
      return undefined;
    case "doubtful":
      return `The spool ${directory} is not safe: ${verdict.reason}`;
    case "unsafe":
      if (allowUnsafe) {
        return `The spool ${directory} is not safe, and used because ${INSIST} is true: ${verdict.reason}`;
      }
      throw new SpoolError(
        `The spool ${directory} cannot be used: ${verdict.reason}. Set spool_dir to a folder on a local disk ` +
          `(NTFS, ext4, XFS, APFS), or ${INSIST} to true and bear the risk`,
      );
    case "unusable":
      throw new SpoolError(
        `The spool ${directory} cannot be used: ${verdict.reason}. Set spool_dir to another folder`,
      );
  }
}

/** The folder itself, or the first above it that exists. */
function nearest(directory: string): string | undefined {
  for (let at = directory;; at = dirname(at)) {
    if (orUndefined(() => Deno.statSync(at).isDirectory) === true) return at;
    if (dirname(at) === at) return undefined;
  }
}

const UNTRIED = { hardLinks: undefined, timeErrorMs: undefined };

/** How a folder's volume keeps second names and time stamps: writes two files for a moment. */
export function behaviourOf(folder: string): Pick<VolumeFacts, "hardLinks" | "timeErrorMs"> {
  const file = orUndefined(() =>
    Deno.makeTempFileSync({ dir: folder, prefix: "dicomforwarder-", suffix: ".part" })
  );
  if (file === undefined) return UNTRIED;
  const second = join(folder, `${file.slice(dirname(file).length + 1)}-2.part`);
  try {
    const timeErrorMs = orUndefined(() => {
      Deno.utimeSync(file, ODD_TIME_MS / 1000, ODD_TIME_MS / 1000);
      const kept = Deno.statSync(file).mtime?.getTime();
      return kept === undefined ? undefined : Math.abs(kept - ODD_TIME_MS);
    });
    return { hardLinks: links(file, second), timeErrorMs };
  } finally {
    for (const path of [second, file]) orUndefined(() => Deno.removeSync(path));
  }
}

function links(file: string, second: string): boolean {
  try {
    Deno.linkSync(file, second);
    return true;
  } catch {
    // For whatever reason: by itself it refuses nothing.
    return false;
  }
}

/** What cannot be found out is not known. */
function orUndefined<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}
