/*
 * What a service's account has to read and nobody else shall: the configuration, and the private keys it names that lie
 * beside or below it. Changes nothing; keys elsewhere are the administrator's.
 */

import { dirname, relative, resolve, sep } from "node:path";
import { keyFilesIn, secretsIn } from "../config/secrets.ts";

/** A file or folder, and the mode by which its group gets at it. */
export interface Readable {
  readonly path: string;
  readonly mode: "0640" | "0750";
}

/**
 * What is to be opened to the account's group, and closed to everybody. A configuration that everybody can read and may, for
 * there is no secret in it, is not among it.
 *
 * @param config absolute path
 * @throws what the file system throws, but where a file is not there
 */
export async function toBeReadable(config: string): Promise<Readable[]> {
  const mode = await modeOf(config);
  if (mode === undefined) return [];
  const settings = parsed(await Deno.readTextFile(config));
  const found: Readable[] = [];
  if ((mode & 0o004) === 0 || secretsIn(settings).length > 0) {
    found.push({ path: config, mode: "0640" });
  }
  const home = dirname(config);
  for (const { file } of keyFilesIn(settings)) {
    const path = resolve(home, file);
    const way = relative(home, dirname(path)).split(sep);
    if (way[0] === ".." || await modeOf(path) === undefined) continue;
    for (let n = 1; n <= way.length && way[0] !== ""; n++) {
      const folder = resolve(home, ...way.slice(0, n));
      if (((await modeOf(folder) ?? 0o001) & 0o001) !== 0) continue;
      found.push({ path: folder, mode: "0750" });
    }
    found.push({ path, mode: "0640" });
  }
  return found.filter((one, n) => n === found.findIndex(({ path }) => path === one.path));
}

/** Permission bits; undefined where it is not there. */
async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).mode ?? undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Undefined where it is no JSON, which others tell. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    return undefined;
  }
}
