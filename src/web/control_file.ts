/*
 * Where a running forwarder leaves the way to its API for commands of the same user: `control.json` in the spool.
 *
 * It holds the token that stands for the user, so only that user may read it (0600; on Windows the folder's rights decide).
 * It is written whole or not at all, and removed at the stop; a crash leaves one whose token is worth nothing any more.
 */

import { join } from "node:path";
import { z } from "zod";

const controlFile = z.object({
  url: z.string().regex(/^https?:\/\/[^/\s]+\/$/),
  token: z.string().min(40).max(200),
  pid: z.int().min(0),
});
export type ControlFile = z.output<typeof controlFile>;

/** Where it lies. */
export function controlFilePath(spoolDir: string): string {
  return join(spoolDir, "control.json");
}

/** Writes it anew. */
export async function writeControlFile(spoolDir: string, content: ControlFile): Promise<void> {
  const path = controlFilePath(spoolDir);
  const part = `${path}.part`;
  await removeControlFile(part);
  const file = await Deno.open(part, { write: true, createNew: true, mode: 0o600 });
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(content) + "\n");
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  } finally {
    file.close();
  }
  await Deno.rename(part, path);
}

/** Removes it, or a part of it, where it is. */
export async function removeControlFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What it says; undefined where there is none, or none that this version understands. */
export async function readControlFile(spoolDir: string): Promise<ControlFile | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(controlFilePath(spoolDir));
  } catch (error) {
    const known = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory;
    if (!known) throw error;
    return undefined;
  }
  try {
    return controlFile.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
