/*
 * DCMTK as a peer: storescu and echoscu as senders, storescp as a destination that writes what it reads.
 */

import { Child, freePort, listening, type Output, run } from "./child.ts";
import { factsIn, type FileFacts } from "./hashes.ts";

/** Without it each message of DCMTK waits 40 ms for an acknowledgement. */
const ENVIRONMENT = { TCP_NODELAY: "1" };

export const STORESCP_AE = "STORESCP";

/** The AE title of forwarders in tests. */
export const FORWARDER_AE = "DICOMFORWARDER";

/** Sends with storescu; the caller looks at the exit code. */
export function storescu(
  port: number,
  options: readonly string[],
  paths: readonly string[],
): Promise<Output> {
  return run(
    "storescu",
    ["-aec", FORWARDER_AE, "-to", "10", ...options, "127.0.0.1", String(port), ...paths],
    ENVIRONMENT,
  );
}

export function echoscu(port: number, options: readonly string[] = []): Promise<Output> {
  return run(
    "echoscu",
    ["-v", "-aec", FORWARDER_AE, "-to", "10", ...options, "127.0.0.1", String(port)],
    ENVIRONMENT,
  );
}

export interface StorescpOptions {
  readonly folder: string;
  /** 0 or absent for any. */
  readonly port?: number;
  /** Transfer syntaxes: all by default. */
  readonly accepts?: string;
  readonly more?: readonly string[];
}

/** A running storescp that writes each data set exactly as it reads it, each into a file of its own. */
export class Storescp implements AsyncDisposable {
  readonly #child: Child;
  readonly port: number;
  readonly folder: string;

  private constructor(child: Child, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.folder = folder;
  }

  static async start(options: StorescpOptions): Promise<Storescp> {
    const { folder, port = freePort(), accepts = "+xa", more = [] } = options;
    Deno.mkdirSync(folder, { recursive: true });
    const args = ["--fork", "-pm", "-aet", STORESCP_AE, "-pdu", "131072", "+B", "+uf", accepts];
    const child = new Child(
      "storescp",
      [...args, "-od", folder, ...more, String(port)],
      ENVIRONMENT,
    );
    await listening(port, child);
    return new Storescp(child, port, folder);
  }

  /** What it has stored so far. */
  stored(): FileFacts[] {
    return factsIn(this.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}
