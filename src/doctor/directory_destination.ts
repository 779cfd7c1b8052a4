/*
 * A directory destination: whether files can be put there, how much room it has, and what kind of disk it is on.
 */

import type { DirectoryDestinationConfig } from "../config/load.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { probeVolume } from "../spool/volume_probe.ts";
import { judgeVolume } from "../spool/volume.ts";
import { judgeTrial, nearestFolder, tryFolder } from "./disk.ts";
import { ok, problem, Rank, size, type Tell, unknown, warning } from "./finding.ts";

/** Below this, room is told as short, in bytes. */
const LITTLE = 10e9;

/** Looks at a directory destination. */
export async function probeDirectory(
  { path }: DirectoryDestinationConfig,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const there = nearestFolder(path);
  if (there === undefined) {
    tell(problem("folder", `${path} is on a drive that does not exist`, {
      text: `Connect the drive of ${path}, or set the destination's path to another folder.`,
      rank: Rank.Reaching,
    }));
    return;
  }
  if (there !== path) tell(ok("folder", `${path} is not there yet; the first image makes it`));
  const finding = judgeTrial(there, "the destination's path", await tryFolder(there, signal, 1));
  tell({
    ...finding,
    ...(finding.change === undefined ? {} : { change: { ...finding.change, rank: Rank.Reaching } }),
  });
  const free = realFileSystem.freeBytes(there);
  if (free === undefined) tell(unknown("room", "the system does not say how much room there is"));
  else if (free < LITTLE) {
    tell(warning("room", `${size(free)} are free`, {
      text: `Make room for ${path}: what no longer fits there waits in the spool.`,
      rank: Rank.Sending,
    }));
  } else tell(ok("room", `${size(free)} are free`));
  const verdict = judgeVolume(probeVolume(path));
  // An archive on a server is nothing unusual; what is delivered there is gone from the spool, though.
  if (verdict.kind === "sound") tell(ok("volume", "its file system keeps what is written"));
  else tell(unknown("volume", verdict.reason));
}
