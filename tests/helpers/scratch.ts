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

  [Symbol.asyncDispose](): Promise<void> {
    removeTree(this.path);
    return Promise.resolve();
  }
}

/**
 * Removes a folder with all that is in it. On Windows a file that is still open may keep its name until it is closed: what is
 * left then lies where temporary files lie.
 */
export function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    const notEmpty = error instanceof Error && /os error (145|32|5)\)/.test(error.message);
    if (Deno.build.os !== "windows" || !notEmpty) throw error;
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
