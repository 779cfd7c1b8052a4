/*
 * `failed/<destination>/`: instances given up for now, each beside the reason in a file a person can read. `held/` has the
 * same shape: instances that a person holds back.
 *
 * Owns the reason's shape and the listing; moving files in and out is the spool's.
 */

import { join } from "node:path";
import { type EntryIdentity, parseName } from "./entry_name.ts";
import { type FileSystem, readFully } from "./file_system.ts";

/** Why an instance lies in `failed/` or `held/`. */
export interface FailureReason {
  /**
   * `refused` by the destination, `not-configured` any more, `unrouted` where no route matched; `held` by a person, in
   * `held/`.
   */
  readonly kind: "refused" | "not-configured" | "unrouted" | "held";
  /** One plain sentence. */
  readonly reason: string;
  /** ISO 8601 */
  readonly when: string;
  readonly tries: number;
  /** Who holds it. */
  readonly by?: string;
}

/** The destination that instances wait for which no route matches. */
export const UNROUTED = "unrouted";

export interface FailedInstance {
  readonly destination: string;
  readonly base: string;
  readonly identity: EntryIdentity;
  readonly path: string;
  /** Reads the reason; undefined where its file is missing or is not one. */
  readonly reason: () => FailureReason | undefined;
}

/** All failed instances, or those of one destination; of `held/`, those held. */
export function* listFailed(
  files: FileSystem,
  failedDirectory: string,
  only?: string,
): Generator<FailedInstance> {
  for (const destination of files.list(failedDirectory)) {
    if (only !== undefined && destination !== only) continue;
    const directory = join(failedDirectory, destination);
    for (const name of files.list(directory)) {
      const parsed = parseName(name);
      if (parsed === undefined) continue;
      yield {
        destination,
        base: parsed.base,
        identity: parsed.identity,
        path: join(directory, name),
        reason: () => readReason(files, join(directory, `${parsed.base}.json`)),
      };
    }
  }
}

/** Reasons without an instance: written just before a crash, which took the instance somewhere else. */
export function orphanedReasons(files: FileSystem, failedDirectory: string): string[] {
  const found: string[] = [];
  for (const destination of files.list(failedDirectory)) {
    const directory = join(failedDirectory, destination);
    const names = new Set(files.list(directory));
    for (const name of names) {
      const instance = name.replace(/\.json$/, ".dcm");
      if (instance === name || names.has(instance) || parseName(instance) === undefined) continue;
      found.push(join(directory, name));
    }
  }
  return found;
}

/** Reads a reason's file; undefined where it is missing or is none. */
export function readReason(files: FileSystem, path: string): FailureReason | undefined {
  if (!files.exists(path)) return undefined;
  const file = files.open(path, "read");
  try {
    const bytes = new Uint8Array(16 * 1024);
    const read = readFully(file, bytes);
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(0, read)));
    return isReason(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    file.close();
  }
}

function isReason(value: unknown): value is FailureReason {
  if (typeof value !== "object" || value === null) return false;
  const { kind, reason } = value as Record<string, unknown>;
  return typeof kind === "string" && typeof reason === "string";
}

/** The text of a reason's file. */
export function formatReason(reason: FailureReason): string {
  return JSON.stringify(reason, null, 2) + "\n";
}
