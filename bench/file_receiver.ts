/*
 * A program that receives into files of one folder and is looked at from outside only.
 */

import { join } from "node:path";
import { type ProcessFigures, ProcessTree } from "./process_tree.ts";
import { end, freePort, listens, type Subject } from "./subject.ts";

export class FileReceiver implements Subject {
  readonly aeTitle = "ANY";
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #tree: ProcessTree;
  readonly #directory: string;

  private constructor(port: number, child: Deno.ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#tree = new ProcessTree(child.pid);
    this.#directory = directory;
  }

  /**
   * Starts one and waits until it listens.
   *
   * @param home its files go into a folder of it
   * @param name for errors
   */
  static async start(
    home: string,
    name: string,
    spawn: (port: number, directory: string) => Deno.ChildProcess,
  ): Promise<FileReceiver> {
    const directory = join(home, "files");
    await Deno.mkdir(directory);
    const port = freePort();
    const child = spawn(port, directory);
    try {
      await listens(port, name);
      return new FileReceiver(port, child, directory);
    } catch (error) {
      await end(child, "SIGTERM");
      throw error;
    }
  }

  figures(): ProcessFigures {
    return this.#tree.figures();
  }

  kept(): number {
    return [...Deno.readDirSync(this.#directory)].length;
  }

  async stop(): Promise<void> {
    this.#tree.stop();
    await end(this.#child, "SIGTERM");
  }
}
