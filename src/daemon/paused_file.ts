/*
 * `paused.json` in the spool: which destinations a person has paused, so that a restart keeps it.
 *
 * Replaced whole. One that cannot be read is told of and counts as empty: images that go to where they were meant to go do
 * less harm than images that silently go nowhere.
 */

import { join } from "node:path";
import { z } from "zod";
import type { Paused } from "../delivery/delivery_setting.ts";
import { getLog } from "../log.ts";
import { type FileSystem, realFileSystem, replaceTextFile } from "../spool/file_system.ts";

const log = getLog("daemon");

const content = z.record(z.string(), z.object({ since: z.number(), by: z.string() }));

export class PausedFile {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #paused = new Map<string, Paused>();

  constructor(spoolDir: string, files: FileSystem = realFileSystem) {
    this.#files = files;
    this.#path = join(spoolDir, "paused.json");
  }

  /** What it says, by destination. */
  read(): ReadonlyMap<string, Paused> {
    if (!this.#files.exists(this.#path)) return this.#paused;
    try {
      const told = content.parse(JSON.parse(Deno.readTextFileSync(this.#path)));
      for (const [name, paused] of Object.entries(told)) this.#paused.set(name, paused);
    } catch (error) {
      log.error(
        "{path} cannot be read: no destination is paused. Pause again what should be",
        { path: this.#path, error },
      );
    }
    return this.#paused;
  }

  /** Writes that a destination is paused, or no longer is (null). */
  set(destination: string, paused: Paused | null): void {
    if (paused === null && !this.#paused.delete(destination)) return;
    if (paused !== null) this.#paused.set(destination, paused);
    const text = JSON.stringify(Object.fromEntries(this.#paused), null, 2) + "\n";
    try {
      replaceTextFile(this.#files, `${this.#path}.part`, text);
      this.#files.rename(`${this.#path}.part`, this.#path);
    } catch (error) {
      log.error("Cannot write {path}: a restart will not know what is paused", {
        path: this.#path,
        error,
      });
    }
  }
}
