/*
 * Whether the spool may be where it is said to be, before the forwarder refuses to start there.
 */

import { SpoolError } from "../spool/version.ts";
import { checkVolume } from "../spool/volume_probe.ts";

/** What is to be said of a spool's place. */
export interface SpoolTrouble {
  /** True where the forwarder would not start. */
  readonly refused: boolean;
  /** A sentence. */
  readonly why: string;
}

/**
 * Looks at the volume of a spool.
 *
 * @param directory absolute
 * @param allowUnsafe whether the settings insist on a volume that is not safe
 * @param check does it: see `checkVolume`
 * @returns undefined where nothing is to be said
 */
export function spoolTrouble(
  directory: string,
  allowUnsafe: boolean,
  check: typeof checkVolume = checkVolume,
): SpoolTrouble | undefined {
  try {
    const warning = check(directory, allowUnsafe);
    return warning === undefined ? undefined : { refused: false, why: `${warning}.` };
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    return { refused: true, why: `${error.message}.` };
  }
}
