/*
 * DCMTK's storescp: as the PACS that takes everything and keeps nothing, and as a receiver that writes files.
 *
 * As the PACS it writes a log with times to a file, which says how many requests there were without this process having
 * to look meanwhile. TCP_NODELAY=1: DCMTK otherwise waits 40 ms for an acknowledgement in the middle of each message.
 */

import { join } from "node:path";
import { DCMTK_ENVIRONMENT, DCMTK_MAX_PDU, dcmtkLog, readDcmtkLog } from "./dcmtk_log.ts";
import { FileReceiver } from "./file_receiver.ts";
import { end, freePort, listens } from "./subject.ts";

/** A running `storescp --ignore`. */
export class Pacs {
  readonly port: number;
  readonly #log: string;
  readonly #child: Deno.ChildProcess;

  private constructor(port: number, log: string, child: Deno.ChildProcess) {
    this.port = port;
    this.#log = log;
    this.#child = child;
  }

  /**
   * Starts one and waits until it listens.
   *
   * @param logs folder for its log
   */
  static async start(logs: string, port = freePort()): Promise<Pacs> {
    const log = join(logs, `storescp-${port}.log`);
    // One process for each association, as any PACS serves several at a time.
    const args = ["--fork", "--ignore", "-pdu", DCMTK_MAX_PDU, "-lc", await dcmtkLog(log)];
    const child = spawn([...args, String(port)]);
    try {
      await listens(port, "storescp");
      return new Pacs(port, log, child);
    } catch (error) {
      await end(child, "SIGTERM");
      throw error;
    }
  }

  /** When each instance began to come, in ms since 1970, in that order. */
  async taken(): Promise<number[]> {
    const lines = await readDcmtkLog(this.#log);
    return lines.filter(({ text }) => text.startsWith("Received Store Request"))
      .map(({ ms }) => ms).sort((a, b) => a - b);
  }

  async stop(): Promise<void> {
    await end(this.#child, "SIGTERM");
  }
}

/** storescp that writes what comes into files and syncs nothing. */
export function startStorescp(home: string): Promise<FileReceiver> {
  return FileReceiver.start(
    home,
    "storescp",
    (port, directory) =>
      spawn(["--fork", "-od", directory, "-pdu", DCMTK_MAX_PDU, "-q", String(port)]),
  );
}

function spawn(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command("storescp", {
    args: [...args],
    env: DCMTK_ENVIRONMENT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}
