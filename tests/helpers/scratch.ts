/*
 * A folder of its own for a test, removed when the test is over.
 */

import { join } from "node:path";

export class Scratch implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await Deno.makeTempDir({ prefix: "forwarder-test-" }));
  }

  /** A path below it; nothing is made. */
  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** A folder below it, made. */
  folder(...names: string[]): string {
    const path = this.at(...names);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Every file and folder below a path, relative to it, sorted; folders end in a slash. */
export function contentsOf(path: string): string[] {
  const found: string[] = [];
  const visit = (folder: string, prefix: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const name = prefix + entry.name;
      if (!entry.isDirectory) found.push(name);
      else {
        found.push(`${name}/`);
        visit(join(folder, entry.name), `${name}/`);
      }
    }
  };
  visit(path, "");
  return found.sort();
}

/** Paths of the files below a folder. */
export function filesIn(path: string): string[] {
  return contentsOf(path).filter((name) => !name.endsWith("/")).map((name) => join(path, name));
}
