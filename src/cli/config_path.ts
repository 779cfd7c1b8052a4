/*
 * Where the configuration is when nobody says.
 */

import { dirname, join } from "node:path";

/** `config.json` here, else beside the program. Undefined where neither is there. */
export async function findConfigFile(): Promise<string | undefined> {
  const beside = join(dirname(Deno.execPath()), "config.json");
  for (const path of ["config.json", beside]) {
    try {
      await Deno.stat(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}
