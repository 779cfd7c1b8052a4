/*
 * Notices for a running daemon of what a command did to files of the queue: `retry/<time>-<process>-<number>.notice`, a
 * line for each item. The daemon looks there once a second.
 *
 * The files are the truth, and a notice that is lost or not understood loses nothing: what is gone is noticed when it is to
 * be sent.
 */

import { join } from "node:path";
import { isBase } from "./entry_name.ts";
import { type FileSystem, readFully, replaceTextFile } from "./file_system.ts";
import { spoolPaths } from "./paths.ts";

/** An item to look at: its file was changed, or a person wants it attempted at once. */
export interface Notice {
  readonly what: "changed" | "hurry";
  readonly id: string;
  readonly destination: string;
}

const ENDING = ".notice";

/** Items of one notice: so much is looked at in one go. */
const MOST = 1000;

/** Longest notice that is read, in bytes. */
const LONGEST = 1024 * 1024;

/** Leaves notices; none where there is nothing to tell. */
export function leaveNotices(
  files: FileSystem,
  directory: string,
  notices: readonly Notice[],
  now: number,
): void {
  const { retry } = spoolPaths(directory);
  files.makeDirectory(retry);
  for (let at = 0; at < notices.length; at += MOST) {
    const lines = notices.slice(at, at + MOST).map(({ what, id, destination }) =>
      `${what} ${id} ${destination}\n`
    );
    const path = join(retry, `${now}-${Deno.pid}-${at}${ENDING}`);
    replaceTextFile(files, `${path}.part`, lines.join(""));
    files.rename(`${path}.part`, path);
  }
}

/** The first notices that lie there, which are taken away; none where none do. */
export function takeNotices(files: FileSystem, directory: string): Notice[] {
  const { retry } = spoolPaths(directory);
  for (const name of files.list(retry)) {
    if (!name.endsWith(ENDING)) continue;
    const path = join(retry, name);
    const file = files.open(path, "read");
    let text: string;
    try {
      const bytes = new Uint8Array(Math.min(LONGEST, file.size()));
      text = new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes)));
    } finally {
      file.close();
    }
    files.remove(path);
    return text.split("\n").flatMap((line) => {
      const [what, id = "", destination = ""] = line.split(" ");
      if (what !== "changed" && what !== "hurry") return [];
      return isBase(id) && destination !== "" ? [{ what, id, destination }] : [];
    });
  }
  return [];
}
