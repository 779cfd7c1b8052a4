/*
 * `demo`: the main job on an embedded default, to be seen in half a minute.
 *
 * Two forwarders in one process: the one being shown, and one that plays the PACS by writing what it receives to a folder.
 * A generated CT study goes over the network through both, and what arrived is compared with what was sent, byte by byte.
 */

import { join, relative, resolve } from "node:path";
import { createHash } from "node:crypto";
import { stdin } from "node:process";
import { createInterface } from "node:readline";
import { type Config, configFrom } from "../config/load.ts";
import { type Daemon, startDaemon } from "../daemon.ts";
import { closeLogging, configureLogging } from "../log.ts";
import { writeStudy } from "./demo_study.ts";
import { ExitCode } from "./exit_code.ts";
import { type DicomFile, FileDataSet, inspect, walk } from "./file_source.ts";
import { onStopSignal } from "./run.ts";
import { sendFiles } from "./send.ts";
import { bar, formatBytes, formatDuration, printLine, ProgressLine, warnLine } from "./terminal.ts";

export interface DemoOptions {
  /** Where everything of the demo goes; emptied first. */
  readonly directory: string;
  readonly instances: number;
  /** End when the study has arrived, rather than on Ctrl-C. */
  readonly once: boolean;
}

/** The forwarder's port, if it is free. */
const PREFERRED_PORT = 11112;

/** How long the study may take to arrive, in ms. */
const PATIENCE_MS = 120_000;

/** How long a study takes that is to be watched, in ms, and in how many pieces it comes. */
const SLOWLY_MS = 8000;
const PIECES = 40;

/** The PACS of the demo, which can be stopped and started again under the same port. */
class DemoPacs {
  readonly #directory: string;
  port = 0;
  daemon: Daemon | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    this.daemon = await startDaemon(configFrom({
      local_ae_title: "DEMO_PACS",
      local_host: "127.0.0.1",
      local_port: this.port,
      spool_dir: "pacs-spool",
      destinations: [{ type: "directory", name: "disk", path: "pacs" }],
    }, this.#directory));
    this.port = this.daemon.port;
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
    this.daemon = undefined;
  }
}

/** Runs the demo. The exit code is 1 where anything is missing or differs. */
export async function demoCommand(options: DemoOptions): Promise<ExitCode> {
  const directory = resolve(options.directory);
  await empty(directory);
  await configureLogging({
    dir: join(directory, "logs"),
    level: "info",
    retentionDays: 7,
    console: false,
  });
  const stop = Promise.withResolvers<void>();
  const stopListening = onStopSignal(() => stop.resolve());
  const pacs = new DemoPacs(directory);
  let forwarder: Daemon | undefined;
  try {
    await pacs.start();
    const settings = {
      local_ae_title: "FORWARDER",
      local_host: "127.0.0.1",
      pacs_host: "127.0.0.1",
      pacs_port: pacs.port,
      pacs_ae_title: "DEMO_PACS",
      spool_dir: "spool",
      web: { port: 0 },
    };
    forwarder = await startForwarder((local_port) =>
      configFrom({ ...settings, local_port }, directory)
    );
    printLine(`Forwarder   FORWARDER at 127.0.0.1 port ${forwarder.port}`);
    printLine(
      `PACS        DEMO_PACS at 127.0.0.1 port ${pacs.port}, writes to ${shown(directory, "pacs")}`,
    );
    printLine(`Status page http://127.0.0.1:${await forwarder.pagePort()}/`);
    const files = await makeStudy(directory, options.instances);
    const sent = await sendAndWatch(files, forwarder.port, [forwarder, pacs.daemon!]);
    const complete = sent && await compare(files, join(directory, "pacs"));
    if (options.once) return complete ? ExitCode.Ok : ExitCode.Failed;
    printLine();
    printLine("The forwarder goes on running: open its status page, and send it more, for example");
    printLine(`    storescu -aec FORWARDER 127.0.0.1 ${forwarder.port} FILE`);
    if (Deno.stdin.isTerminal()) {
      printLine("s and Enter sends another study; p and Enter stops the PACS, or starts it again.");
      void play(directory, options.instances, forwarder, pacs, stop.promise);
    }
    printLine("Ctrl-C ends it.");
    await stop.promise;
    return complete ? ExitCode.Ok : ExitCode.Failed;
  } finally {
    stopListening();
    await forwarder?.stop();
    await pacs.stop();
    await closeLogging();
  }
}

/** Does what is asked for on the keyboard until the demo ends. */
async function play(
  directory: string,
  instances: number,
  forwarder: Daemon,
  pacs: DemoPacs,
  stopped: Promise<void>,
): Promise<void> {
  const keyboard = createInterface({ input: stdin });
  void stopped.then(() => keyboard.close());
  for await (const line of keyboard) {
    try {
      if (line.trim() === "s") {
        const files = await makeStudy(directory, instances);
        printLine("It is being sent, as slowly as a scanner makes images: watch the status page.");
        // Not waited for: the PACS may be stopped meanwhile.
        void sendSlowly(files, forwarder.port, stopped).then(
          (sent) => printLine(`${sent} sent.`),
          (error) => warnLine(`The study could not be sent: ${error}`),
        );
      } else if (line.trim() === "p") {
        const stops = pacs.daemon !== undefined;
        await (stops ? pacs.stop() : pacs.start());
        printLine(`The PACS ${stops ? "is stopped" : "runs again"}.`);
      } else if (line.trim() !== "") printLine("s sends a study, p stops or starts the PACS.");
    } catch (error) {
      warnLine(`That did not work: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Sends a study a few images at a time; how many were sent before all were, or the demo was stopped. */
async function sendSlowly(
  files: readonly DicomFile[],
  port: number,
  stopped: Promise<void>,
): Promise<number> {
  let over = false;
  void stopped.then(() => over = true);
  const node = { host: "127.0.0.1", port, aeTitle: "FORWARDER", callingAeTitle: "DEMO_CT" };
  let sent = 0;
  const some = Math.ceil(files.length / PIECES);
  for (let at = 0; at < files.length && !over; at += some) {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    sent += (await sendFiles(files.slice(at, at + some), node, patience, () => {})).sent;
    await new Promise((resolve) => setTimeout(resolve, SLOWLY_MS / PIECES));
  }
  return sent;
}

async function empty(directory: string): Promise<void> {
  try {
    await Deno.remove(directory, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(directory, { recursive: true });
}

async function startForwarder(config: (port: number) => Config): Promise<Daemon> {
  try {
    return await startDaemon(config(PREFERRED_PORT), { page: true });
  } catch {
    // Taken, by a forwarder in earnest perhaps: any other port shows as much.
    return await startDaemon(config(0), { page: true });
  }
}

async function makeStudy(directory: string, instances: number): Promise<DicomFile[]> {
  const paths = await writeStudy(join(directory, "study"), {
    instances,
    // A study of its own each time: a PACS that has seen the last one would call it a duplicate.
    seed: Date.now() % 0x7fffffff,
  });
  const files = await Promise.all(paths.map(inspect));
  const bytes = files.reduce((sum, file) => sum + file.length, 0);
  printLine(
    `Study       ${files.length} CT images, ${formatBytes(bytes)}, in ${shown(directory, "study")}`,
  );
  printLine();
  return files;
}

/** Sends the study and shows it passing through. False where it does not arrive. */
async function sendAndWatch(
  files: readonly DicomFile[],
  port: number,
  [forwarder, pacs]: readonly [Daemon, Daemon],
): Promise<boolean> {
  const line = new ProgressLine();
  const began = performance.now();
  let received = 0;
  const show = () => {
    const forwarded = forwarder.snapshot().destinations[0]?.delivered ?? 0;
    return `received ${bar(received / files.length, 16)} ${received}/${files.length}   ` +
      `forwarded ${bar(forwarded / files.length, 16)} ${forwarded}/${files.length}`;
  };
  const node = { host: "127.0.0.1", port, aeTitle: "FORWARDER", callingAeTitle: "DEMO_CT" };
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const result = await sendFiles(files, node, patience, ({ done }) => {
    received = done;
    line.update(show);
  });
  for (const { path, reason } of result.failed) warnLine(`not received: ${path}: ${reason}`);
  const arrived = () => pacs.snapshot().destinations[0]?.delivered ?? 0;
  while (arrived() < result.sent && !patience.aborted) {
    line.update(show);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const took = performance.now() - began;
  line.finish(show());
  printLine(`Received, forwarded and stored in ${formatDuration(took)}.`);
  return result.failed.length === 0 && !patience.aborted;
}

/** Compares what arrived with what was sent and says where it is. */
async function compare(sent: readonly DicomFile[], folder: string): Promise<boolean> {
  const arrived = new Map<string, DicomFile>();
  for await (const path of walk(folder)) {
    const file = await inspect(path);
    arrived.set(file.sopInstanceUid, file);
  }
  let identical = 0;
  for (const original of sent) {
    const copy = arrived.get(original.sopInstanceUid);
    if (copy === undefined) warnLine(`missing: ${original.path}`);
    else if (await hash(original) !== await hash(copy)) warnLine(`differs: ${copy.path}`);
    else identical++;
  }
  const first = arrived.values().next().value;
  printLine(`${identical} of ${sent.length} arrived, data sets identical byte for byte.`);
  if (first !== undefined) printLine(`For example ${relative(Deno.cwd(), first.path)}`);
  return identical === sent.length;
}

async function hash(file: DicomFile): Promise<string> {
  const dataSet = await FileDataSet.open(file);
  try {
    const digest = createHash("sha256");
    const buffer = new Uint8Array(1024 * 1024);
    for (let left = dataSet.length; left > 0;) {
      const piece = buffer.subarray(0, Math.min(left, buffer.length));
      await dataSet.read(piece);
      digest.update(piece);
      left -= piece.length;
    }
    return digest.digest("hex");
  } finally {
    dataSet.close();
  }
}

function shown(directory: string, name: string): string {
  return relative(Deno.cwd(), join(directory, name));
}
