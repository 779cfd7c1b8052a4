/*
 * The other ends: DCMTK's storescu as the modality and storescp as the PACS.
 *
 * Both write a log with times to a file, which says when the first request and the last answer were and how many there
 * were, without this process having to look meanwhile. TCP_NODELAY=1 on both: DCMTK otherwise waits 40 ms for an
 * acknowledgement in the middle of each message.
 */

import { join } from "node:path";

const ENVIRONMENT = { TCP_NODELAY: "1" };

/** The longest PDU DCMTK takes. */
const MAX_PDU = "131072";

/** How long a sender may take, in ms. */
const SENDING_MS = 600_000;
/** How long a storescp may take to listen, or to end, in ms. */
const PATIENCE_MS = 10_000;

/** When a sender asked for its association and had its last answer: ms since 1970. */
export interface Sending {
  readonly beganMs: number;
  readonly endedMs: number;
}

/**
 * Sends every file of a folder over one association and waits for the end.
 *
 * @param logs folder for its log
 * @throws where not exactly `instances` were answered with Success
 */
export async function storescu(
  port: number,
  calledAeTitle: string,
  folder: string,
  instances: number,
  logs: string,
): Promise<Sending> {
  const log = join(logs, "storescu.log");
  const child = new Deno.Command("storescu", {
    args: [
      ...["-pdu", MAX_PDU, "+sd", "-lc", await logConfig(log)],
      ...["-aec", calledAeTitle, "127.0.0.1", String(port), folder],
    ],
    env: ENVIRONMENT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(SENDING_MS),
  }).spawn();
  const { code } = await child.status;
  const lines = await readLog(log);
  const began = lines.find(({ text }) => text === "Requesting Association");
  const answers = lines.filter(({ text }) => text === "Received Store Response (Success)");
  const last = answers.at(-1);
  if (code !== 0 || answers.length !== instances || began === undefined || last === undefined) {
    throw new Error(
      `storescu ended with ${code} after ${answers.length} answers of Success, wanted ` +
        `${instances}; its last words: ${lines.at(-1)?.text}`,
    );
  }
  return { beganMs: began.ms, endedMs: last.ms };
}

/** A running `storescp --ignore`: it takes everything and keeps nothing. */
export class Storescp {
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
  static async start(port: number, logs: string): Promise<Storescp> {
    const log = join(logs, "storescp.log");
    const child = new Deno.Command("storescp", {
      // One process for each association, as any PACS serves several at a time.
      args: ["--fork", "--ignore", "-pdu", MAX_PDU, "-lc", await logConfig(log), String(port)],
      env: ENVIRONMENT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const peer = new Storescp(port, log, child);
    try {
      await peer.#listening();
    } catch (error) {
      await peer.stop();
      throw error;
    }
    return peer;
  }

  async #listening(): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        if (Date.now() > deadline) throw new Error(`storescp does not listen on ${this.port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Instances taken so far. */
  async taken(): Promise<number> {
    const lines = await readLog(this.#log);
    return lines.filter(({ text }) => text.startsWith("Received Store Request")).length;
  }

  async stop(): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself; its status tells no more.
    }
    await this.#child.status;
  }
}

/** A port of 127.0.0.1 that nothing listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    return listener.addr.port;
  } finally {
    listener.close();
  }
}

/** A DCMTK log configuration: each line with its time, into a file. */
async function logConfig(log: string): Promise<string> {
  const appender = "log4cplus.appender.file";
  const path = `${log}.cfg`;
  await Deno.writeTextFile(
    path,
    [
      "log4cplus.rootLogger = INFO, file",
      `${appender} = log4cplus::FileAppender`,
      `${appender}.File = ${log}`,
      `${appender}.ImmediateFlush = true`,
      `${appender}.layout = log4cplus::PatternLayout`,
      // Seconds since 1970 and milliseconds, then the message.
      `${appender}.layout.ConversionPattern = %D{%s.%q} %m%n`,
      "",
    ].join("\n"),
  );
  return path;
}

async function readLog(path: string): Promise<{ ms: number; text: string }[]> {
  const text = await Deno.readTextFile(path);
  const lines: { ms: number; text: string }[] = [];
  for (const line of text.split("\n")) {
    const parts = /^(\d+)\.(\d{3}) (.*)$/.exec(line);
    if (parts === null) continue;
    lines.push({ ms: Number(parts[1]) * 1000 + Number(parts[2]), text: parts[3]!.trim() });
  }
  return lines;
}
