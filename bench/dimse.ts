/*
 * dcmjs-dimse's Scp, started as a receiver (`dimse_scp.ts`).
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessFigures, ProcessTree } from "./process_tree.ts";
import { end, freePort, listens, type Subject } from "./subject.ts";

export class DimseReceiver implements Subject {
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

  static async start(home: string): Promise<DimseReceiver> {
    const directory = join(home, "files");
    await Deno.mkdir(directory);
    const port = freePort();
    const program = fileURLToPath(new URL("dimse_scp.ts", import.meta.url));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--frozen", "--no-check", program, String(port), directory],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await listens(port, "dcmjs-dimse");
      return new DimseReceiver(port, child, directory);
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
