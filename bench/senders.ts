/*
 * The modalities: DCMTK's storescu, one or several at a time, each with its share of a load.
 *
 * Each writes a log with times to a file, which says when the first request and the last answer were, without this process
 * having to look meanwhile.
 */

import { join } from "node:path";
import { DCMTK_ENVIRONMENT, DCMTK_MAX_PDU, dcmtkLog, readDcmtkLog } from "./dcmtk_log.ts";
import type { Share } from "./load.ts";

/** How long a sender may take, in ms. */
const SENDING_MS = 600_000;

/** When the first sender asked for its association, and the last had its last answer: ms since 1970. */
export interface Sending {
  readonly beganMs: number;
  readonly endedMs: number;
}

/**
 * Sends all shares at once, each over one association, and waits for the end.
 *
 * @param logs folder for their logs
 * @throws where not every instance was answered with Success
 */
export async function send(
  port: number,
  calledAeTitle: string,
  shares: readonly Share[],
  logs: string,
): Promise<Sending> {
  const sendings = await Promise.all(shares.map(({ directory, instances }, n) => {
    const log = join(logs, `storescu-${n}.log`);
    return storescu(port, calledAeTitle, directory, instances, log);
  }));
  return {
    beganMs: Math.min(...sendings.map((one) => one.beganMs)),
    endedMs: Math.max(...sendings.map((one) => one.endedMs)),
  };
}

async function storescu(
  port: number,
  calledAeTitle: string,
  directory: string,
  instances: number,
  log: string,
): Promise<Sending> {
  const child = new Deno.Command("storescu", {
    args: [
      ...["-pdu", DCMTK_MAX_PDU, "+sd", "-lc", await dcmtkLog(log)],
      ...["-aec", calledAeTitle, "127.0.0.1", String(port), directory],
    ],
    env: DCMTK_ENVIRONMENT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(SENDING_MS),
  }).spawn();
  const { code } = await child.status;
  const lines = await readDcmtkLog(log);
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
