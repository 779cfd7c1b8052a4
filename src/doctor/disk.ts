/*
 * The disk under a folder: whether it takes a file and gives it back, how much room it has, and how fast a sync is.
 *
 * Owns one file of its own for a moment, in the folder itself or, before there is one, in the nearest folder above it. A
 * running forwarder is not kept from its disk: there are pauses between the syncs, and an end to them.
 */

import { dirname } from "node:path";
import type { Config } from "../config/load.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { SpoolError } from "../spool/version.ts";
import { checkVolume } from "../spool/volume_probe.ts";
import {
  duration,
  type Finding,
  median,
  ok,
  problem,
  Rank,
  size,
  type Tell,
  unknown,
  warning,
} from "./finding.ts";

/** Syncs that are measured, bytes each, and the pause after each, in ms. */
const SYNCS = 20;
const SYNC_LENGTH = 128 * 1024;
const PAUSE_MS = 20;
/** All of them take no longer than this, in ms, but for the last. */
const MOST_MS = 5000;

/** A sync of the spool longer than this keeps one sender below 50, and below 10 images a second, in ms. */
const SLOW_MS = 20;
const TOO_SLOW_MS = 100;

/** Looks at the spool's folder and the disk it is on. */
export async function probeSpool(config: Config, tell: Tell, signal: AbortSignal): Promise<void> {
  const { spoolDir } = config;
  tell(judgeVolumeOf(config));
  const there = nearestFolder(spoolDir);
  if (there === undefined) {
    tell(problem("spool", `${spoolDir} is on a drive that does not exist`, {
      text: "Set spool_dir to a folder on a local disk.",
      rank: Rank.Spool,
    }));
    return;
  }
  if (there !== spoolDir) {
    tell(ok("spool", `${spoolDir} is not there yet; the first start makes it`));
  }
  const trial = await tryFolder(there, signal);
  tell(judgeTrial(there, "spool_dir", trial));
  tell(judgeRoom(realFileSystem.freeBytes(there), config.minimumFreeSpace));
  if (trial.kind === "works") tell(judgeSyncs(trial.syncs));
}

function judgeVolumeOf({ spoolDir, allowUnsafeSpoolVolume }: Config): Finding {
  try {
    const doubt = checkVolume(spoolDir, allowUnsafeSpoolVolume);
    return doubt === undefined
      ? ok("volume", "its file system is one that keeps its promises")
      : warning("volume", doubt, {
        text: "Move the spool to a local disk (NTFS, ext4, XFS, APFS) and set spool_dir.",
        rank: Rank.Spool,
      });
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    return problem("volume", error.message, {
      text: "Set spool_dir to a folder on a local disk (NTFS, ext4, XFS, APFS).",
      rank: Rank.Spool,
    });
  }
}

/** How writing, syncing, reading and removing a file went. */
export type Trial =
  | { readonly kind: "works"; /** Of each sync, in ms. */ readonly syncs: readonly number[] }
  | { readonly kind: "denied" }
  | { readonly kind: "differs" }
  | { readonly kind: "fails"; readonly why: string };

/**
 * Writes a file with many syncs, reads it back and removes it.
 *
 * @param folder one that is there
 * @param syncs how many, at most
 */
export async function tryFolder(
  folder: string,
  signal: AbortSignal,
  syncs = SYNCS,
): Promise<Trial> {
  let path: string | undefined;
  try {
    path = await Deno.makeTempFile({ dir: folder, prefix: "dicomforwarder-", suffix: ".part" });
    const content = crypto.getRandomValues(new Uint8Array(1024));
    const block = new Uint8Array(SYNC_LENGTH);
    for (let at = 0; at < block.length; at += content.length) block.set(content, at);
    const times: number[] = [];
    {
      using file = await Deno.open(path, { write: true });
      const began = performance.now();
      while (times.length < syncs && performance.now() - began < MOST_MS && !signal.aborted) {
        for (let at = 0; at < block.length;) at += await file.write(block.subarray(at));
        const start = performance.now();
        await file.syncData();
        times.push(performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
    if (!await holds(path, block)) return { kind: "differs" };
    return { kind: "works", syncs: times };
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return { kind: "denied" };
    return { kind: "fails", why: error instanceof Error ? error.message : String(error) };
  } finally {
    if (path !== undefined) await removeQuietly(path);
  }
}

async function holds(path: string, block: Uint8Array): Promise<boolean> {
  using file = await Deno.open(path);
  const read = new Uint8Array(block.length);
  for (let at = 0; at < read.length;) {
    const got = await file.read(read.subarray(at));
    if (got === null) break;
    at += got;
  }
  return read.every((byte, n) => byte === block[n]);
}

/** On a disk that fails the removal fails, too: the trial has told of it. */
async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // See above.
  }
}

/** What a trial of a folder means. */
export function judgeTrial(folder: string, key: string, trial: Trial): Finding {
  switch (trial.kind) {
    case "works":
      return ok("folder", `a file can be written to ${folder}, synced, read back and removed`);
    case "denied":
      return problem("folder", `this user may not write to ${folder}`, {
        text:
          `Give the account that the forwarder runs as the right to write to ${folder}, or say doctor as that account.`,
        rank: Rank.Spool,
      });
    case "differs":
      return problem("folder", `what was written to ${folder} read back differently`, {
        text:
          `Replace the disk under ${folder}, or set ${key} to another one: it does not keep what is written.`,
        rank: Rank.Spool,
      });
    case "fails":
      return problem("folder", `a file cannot be written to ${folder}: ${trial.why}`, {
        text: `Mend the disk under ${folder}, or set ${key} to another folder.`,
        rank: Rank.Spool,
      });
  }
}

/** What the free space means. */
export function judgeRoom(free: number | undefined, reserve: number): Finding {
  if (free === undefined) return unknown("room", "the system does not say how much room there is");
  const text = `${size(free)} are free, ${size(reserve)} are kept (minimum_free_space)`;
  if (free < reserve) {
    return problem("room", `${text}: nothing new is accepted`, {
      text: "Make room on the spool's disk, or set spool_dir to a larger one.",
      rank: Rank.Spool,
    });
  }
  if (free < 5 * reserve) {
    return warning("room", text, {
      text: "Make room on the spool's disk: what arrives while a PACS is down has to fit there.",
      rank: Rank.Comfort,
    });
  }
  return ok("room", text);
}

/** What the time of a sync means for a modality, which waits for one with each image. */
export function judgeSyncs(times: readonly number[]): Finding {
  if (times.length === 0) return unknown("disk", "no sync was measured");
  const usual = median(times);
  const slowest = Math.max(...times);
  const rate = Math.floor(1000 / Math.max(usual, 0.01));
  const text = `a sync takes ${duration(usual)}, the slowest of ${times.length} took ${
    duration(slowest)
  }: up to ${rate} images a second from one sender`;
  const change = {
    text:
      "Put the spool on a faster disk (an SSD with its write cache protected), or keep other programs and virus scanners from it.",
    rank: Rank.Sending,
  };
  if (usual > TOO_SLOW_MS) return problem("disk", `${text}; a CT sends faster than that`, change);
  if (usual > SLOW_MS) return warning("disk", `${text}; a fast modality will wait`, change);
  return ok("disk", text);
}

/** The folder itself, or the first above it that exists; undefined where not even the drive does. */
export function nearestFolder(folder: string): string | undefined {
  for (let at = folder;; at = dirname(at)) {
    try {
      if (Deno.statSync(at).isDirectory) return at;
    } catch (error) {
      // What may not be looked at is there all the same.
      if (error instanceof Deno.errors.PermissionDenied) return at;
    }
    if (dirname(at) === at) return undefined;
  }
}
