/*
 * The settings file on the disk: read once at the start, replaced whole at the end, never half.
 *
 * A new text is written beside the file, synced and renamed over it. The file as it was is kept as `<file>.bak` first;
 * a backup of other content that is there already moves on to `<file>.bak.1`, so that a file written by hand outlives two
 * saves. Where nothing changes nothing is written, so that saving twice does not push a backup out. Fails with
 * SettingsFileError, and then the file is as it was.
 */

import { dirname, join } from "node:path";
import { type ConfigFault, isSettings } from "../config/check.ts";
import { ConfigError, parseConfig } from "../config/load.ts";
import { secretsIn } from "../config/secrets.ts";
import { systemClock } from "../clock.ts";
import { realFileSystem } from "../spool/file_system.ts";
import { patiently } from "../spool/held.ts";
import type { Settings } from "./settings.ts";

/** What a mode lets others do. */
const OTHERS = 0o007;

/** The file cannot be read or written; the message says what to do. */
export class SettingsFileError extends Error {
  override readonly name = "SettingsFileError";
}

/** What the file holds. */
export type FileContent =
  | { readonly kind: "none" }
  /** Settings, right or wrong; `faults` are all that is wrong with them. */
  | {
    readonly kind: "settings";
    readonly text: string;
    readonly settings: Settings;
    readonly faults: readonly ConfigFault[];
  }
  /** Not JSON, or not settings; `why` is for the person who wrote it. */
  | { readonly kind: "broken"; readonly why: string };

export interface SettingsFile {
  /** Absolute. */
  readonly path: string;
  /** As it was read; undefined where there is none. */
  readonly bytes: Uint8Array | undefined;
  readonly content: FileContent;
}

/** What a save did. */
export interface Saved {
  /** Where the file as it was is kept; undefined where there was none. */
  readonly backup: string | undefined;
  /** What could not be kept as it was, in sentences. */
  readonly warnings: readonly string[];
}

/**
 * Reads a settings file, whatever it holds.
 *
 * @param path absolute
 * @throws SettingsFileError where it is there and cannot be read
 */
export async function readSettingsFile(path: string): Promise<SettingsFile> {
  const bytes = await readIfThere(path);
  return { path, bytes, content: bytes === undefined ? { kind: "none" } : understood(bytes, path) };
}

function understood(bytes: Uint8Array, path: string): FileContent {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { kind: "broken", why: `${path} is not UTF-8 text.` };
  }
  let faults: readonly ConfigFault[] = [];
  try {
    parseConfig(text, path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.faults.length === 0) return { kind: "broken", why: error.message };
    faults = error.faults;
  }
  const settings: unknown = JSON.parse(text);
  if (!isSettings(settings)) {
    return { kind: "broken", why: `${path} has no settings in { }.` };
  }
  return { kind: "settings", text, settings, faults };
}

/**
 * Replaces the file.
 *
 * @param file as it was read: if it is another by now, someone else edits it, and nothing is written
 * @returns undefined where the text is what the file holds already
 * @throws SettingsFileError where it cannot be replaced; it is then as it was
 */
export async function saveSettingsFile(
  file: SettingsFile,
  text: string,
): Promise<Saved | undefined> {
  const bytes = new TextEncoder().encode(text);
  const now = await readIfThere(file.path);
  if (!same(now, file.bytes)) {
    throw new SettingsFileError(
      `${file.path} was changed by someone else in the meantime: nothing was saved. Run setup again.`,
    );
  }
  if (same(now, bytes)) return undefined;
  try {
    // Where the file is a link, it is the file it points to that changes.
    const target = now === undefined ? file.path : await Deno.realPath(file.path);
    const folder = dirname(target);
    // Whoever has to read the file has to get to it; and nobody else puts files beside it.
    await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
    const warnings: string[] = [];
    const like = now === undefined ? undefined : await Deno.stat(target);
    let backup: string | undefined;
    if (now !== undefined) {
      backup = `${target}.bak`;
      const older = await readIfThere(backup);
      if (!same(older, now)) {
        if (older !== undefined) await renamePatiently(backup, `${backup}.1`);
        await replace(backup, now, like, [], holdsSecrets(new TextDecoder().decode(now)));
      }
    }
    await replace(target, bytes, like, warnings, holdsSecrets(text));
    await realFileSystem.syncDirectory(folder);
    return { backup, warnings };
  } catch (error) {
    if (error instanceof SettingsFileError) throw error;
    const reason = isDenied(error)
      ? "this user may not write there. Run setup with administrator rights (sudo)"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new SettingsFileError(`${file.path} cannot be saved: ${reason}. It is as it was.`, {
      cause: error,
    });
  }
}

async function replace(
  target: string,
  bytes: Uint8Array,
  like: Deno.FileInfo | undefined,
  warnings: string[],
  secrets = false,
): Promise<void> {
  const part = join(dirname(target), `.dicomforwarder-setup-${Deno.pid}.part`);
  const before = like?.mode === undefined || like.mode === null ? undefined : like.mode & 0o7777;
  const mode = before !== undefined && secrets ? before & ~OTHERS : before;
  // Until it is whose it is to be, nobody else reads it.
  const file = await Deno.open(part, { write: true, createNew: true, mode: 0o600 });
  try {
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    if (mode !== undefined && Deno.build.os !== "windows") {
      await keepOwner(part, target, like, warnings);
      await Deno.chmod(part, mode);
      if (mode !== before) {
        warnings.push(
          `${target} was open to everybody on this machine and is not any more, for it holds secrets. Where a service under an account of its own uses it, say service install again.`,
        );
      }
    }
    await renamePatiently(part, target);
  } catch (error) {
    // Why it could not be replaced matters more than a leftover that is held as well.
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}

function holdsSecrets(text: string): boolean {
  try {
    return secretsIn(JSON.parse(text.replace(/^\ufeff/, ""))).length > 0;
  } catch {
    // Whoever wrote it is told elsewhere that it is no JSON.
    return false;
  }
}

/** A virus scanner looks at each new file, and lets go of it within seconds. */
async function renamePatiently(from: string, to: string): Promise<void> {
  await patiently(() => Deno.rename(from, to), (ms, callback) => systemClock.after(ms, callback));
}

/** A file of the service's user stays one it can read when root has edited it. */
async function keepOwner(
  part: string,
  target: string,
  like: Deno.FileInfo | undefined,
  warnings: string[],
): Promise<void> {
  const { uid, gid } = await Deno.stat(part);
  if (like === undefined || (like.uid === uid && like.gid === gid)) return;
  try {
    await Deno.chown(part, like.uid, like.gid);
  } catch (error) {
    if (!isDenied(error)) throw error;
    warnings.push(
      `${target} belongs to user ${uid} now, before to ${like.uid}: see that the forwarder may still read it.`,
    );
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const reason = isDenied(error)
      ? "this user may not read it. Run setup with administrator rights (sudo)"
      : error instanceof Deno.errors.IsADirectory
      ? "it is a folder. Name the file in it"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new SettingsFileError(`${path} cannot be read: ${reason}.`, { cause: error });
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied;
}

function same(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
