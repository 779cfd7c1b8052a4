/*
 * `health.json`: how the destinations are, as far as only the running process knows, for `status`.
 *
 * It is written when something changed, at most once a second, and replaced whole. Nothing depends on it: where it cannot
 * be written, `status` knows less.
 */

import { join } from "node:path";
import { getLog } from "../log.ts";
import { type FileSystem, replaceTextFile } from "../spool/file_system.ts";
import { isHeld } from "../spool/held.ts";

const log = getLog("daemon");

export class HealthFile {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #content: () => Record<string, unknown>;
  #isWritten = true;

  /** @param content what is to be told now */
  constructor(files: FileSystem, spoolDir: string, content: () => Record<string, unknown>) {
    this.#files = files;
    this.#path = join(spoolDir, "health.json");
    this.#content = content;
  }

  /** Something in it is different now. */
  changed(): void {
    this.#isWritten = false;
  }

  /** Writes it where something has changed since. */
  keepUp(): void {
    if (!this.#isWritten) this.write();
  }

  write(): void {
    this.#isWritten = true;
    try {
      const text = JSON.stringify(this.#content(), null, 2) + "\n";
      replaceTextFile(this.#files, `${this.#path}.part`, text);
      this.#files.rename(`${this.#path}.part`, this.#path);
    } catch (error) {
      // Somebody reads it: there is another second.
      this.#isWritten = !isHeld(error);
      if (isHeld(error)) return;
      log.warn("Cannot write health.json; status will not know how the destinations are", {
        error,
      });
    }
  }
}
