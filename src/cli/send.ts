/*
 * `send`: DICOM files and folders to any node by C-STORE, as they are.
 *
 * For tests of a connection, for migrations and for what lies on a CD. One association carries as many files as its
 * contexts allow; what is refused is told and does not stop the rest.
 */

import { classifyStoreStatus, describeStatus } from "../dicom/status.ts";
import { transferSyntaxName } from "../dicom/uid.ts";
import { ServiceUser } from "../dimse/scu.ts";
import { explain, type Node } from "../dimse/explain.ts";
import { escapeText } from "../log.ts";
import { Association } from "../ul/association.ts";
import { AssociationError } from "../ul/association_error.ts";
import { MOST_CONTEXTS, planContexts } from "../ul/negotiation.ts";
import { saidToBe } from "../ul/user_information.ts";
import { connectTo } from "../ul/connect.ts";
import { ExitCode } from "./exit_code.ts";
import { type DicomFile, FileDataSet, inspect, walk } from "./file_source.ts";
import { bar, formatBytes, printJson, printLine, ProgressLine, warnLine } from "./terminal.ts";

/** What became of the files. */
export interface SendResult {
  readonly sent: number;
  readonly warnings: readonly Problem[];
  readonly failed: readonly Problem[];
  /** Files that are no DICOM files. */
  readonly skipped: readonly Problem[];
  /** Of the data sets sent. */
  readonly bytes: number;
  readonly ms: number;
}

interface Problem {
  readonly path: string;
  readonly reason: string;
}

/** Progress as it happens. */
export interface SendProgress {
  readonly done: number;
  readonly of: number;
  readonly bytes: number;
}

const TIMES = {
  maxPduLength: 131_072,
  associationMs: 30_000,
  idleMs: 60_000,
  readMs: 60_000,
  writeStallMs: 60_000,
  releaseMs: 10_000,
} as const;

/** Wait for the answer to one instance, in ms. */
const RESPONSE_MS = 120_000;

/**
 * Sends files to a node.
 *
 * @throws {TransportError} or {AssociationError} where no association comes about at all
 */
export async function sendFiles(
  files: readonly DicomFile[],
  node: Node,
  signal: AbortSignal,
  progress: (state: SendProgress) => void,
): Promise<Omit<SendResult, "skipped">> {
  const failed: Problem[] = [];
  const warnings: Problem[] = [];
  const began = performance.now();
  let done = 0;
  let sent = 0;
  let bytes = 0;
  for (const group of groupsOf(files)) {
    let user: ServiceUser | undefined;
    for (const file of group) {
      signal.throwIfAborted();
      user ??= await associate(group, node, signal);
      const result = await sendOne(user, file);
      done++;
      if (result.ok) {
        sent++;
        bytes += file.length;
        if (result.warning !== undefined) {
          warnings.push({ path: file.path, reason: result.warning });
        }
      } else failed.push({ path: file.path, reason: result.reason });
      if (!user.association.established) user = undefined;
      progress({ done, of: files.length, bytes });
    }
    await release(user);
  }
  return { sent, failed, warnings, bytes, ms: Math.round(performance.now() - began) };
}

/** Groups of files that need no more contexts than one association has. */
function* groupsOf(files: readonly DicomFile[]): Generator<DicomFile[]> {
  let group: DicomFile[] = [];
  let pairs = new Set<string>();
  for (const file of files) {
    const pair = `${file.sopClassUid} ${file.transferSyntaxUid}`;
    if (!pairs.has(pair) && pairs.size === MOST_CONTEXTS) {
      yield group;
      group = [];
      pairs = new Set();
    }
    pairs.add(pair);
    group.push(file);
  }
  if (group.length > 0) yield group;
}

async function associate(
  group: readonly DicomFile[],
  node: Node,
  signal: AbortSignal,
): Promise<ServiceUser> {
  const transport = await connectTo(node, 15_000, signal);
  const contexts = planContexts(group, false);
  const association = await Association.request(
    transport,
    node.callingAeTitle,
    node.aeTitle,
    contexts,
    { ...TIMES, ...saidToBe(node.userIdentity) },
  );
  return new ServiceUser(association, RESPONSE_MS);
}

type OneResult = { ok: true; warning?: string } | { ok: false; reason: string };

async function sendOne(user: ServiceUser, file: DicomFile): Promise<OneResult> {
  const carriage = user.association.carriage(file);
  if (carriage.kind !== "as-stored") {
    return {
      ok: false,
      reason: `not accepted: SOP class ${escapeText(file.sopClassUid)} with ${
        escapeText(transferSyntaxName(file.transferSyntaxUid))
      }`,
    };
  }
  const dataSet = await FileDataSet.open(file);
  try {
    const answer = await user.store(
      carriage.context.id,
      file.sopClassUid,
      file.sopInstanceUid,
      dataSet,
    );
    if (answer === undefined) return { ok: false, reason: "the file changed while it was read" };
    const said = describeStatus(answer.status) +
      (answer.comment === "" ? "" : `: ${escapeText(answer.comment)}`);
    const meaning = classifyStoreStatus(answer.status);
    if (meaning === "stored") return { ok: true };
    if (meaning === "stored-with-warning") return { ok: true, warning: said };
    return { ok: false, reason: said };
  } catch (error) {
    if (error instanceof AssociationError) return { ok: false, reason: escapeText(error.message) };
    throw error;
  } finally {
    dataSet.close();
  }
}

async function release(user: ServiceUser | undefined): Promise<void> {
  if (user === undefined || !user.association.established) return;
  try {
    await user.association.release();
  } catch (error) {
    // Everything has been answered; an association that ends badly takes nothing back.
    if (!(error instanceof AssociationError)) throw error;
  }
}

/** Runs `send`. */
export async function sendCommand(
  paths: readonly string[],
  node: Node,
  json: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const files: DicomFile[] = [];
  const skipped: Problem[] = [];
  for (const path of paths) {
    try {
      for await (const found of walk(path)) await look(found, files, skipped);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      warnLine(`There is no file or folder ${path}.`);
      return ExitCode.Usage;
    }
  }
  if (!json) tell("left out ", skipped);
  if (files.length === 0) {
    warnLine("There is no DICOM file to send.");
    return ExitCode.Failed;
  }
  const line = new ProgressLine();
  const began = performance.now();
  const show = ({ done, of, bytes }: SendProgress) =>
    `${bar(done / of)} ${done}/${of}  ${formatBytes(bytes)}  ${
      formatBytes(Math.round(bytes / Math.max(0.001, (performance.now() - began) / 1000)))
    }/s`;
  let last: SendProgress = { done: 0, of: files.length, bytes: 0 };
  try {
    const result = await sendFiles(files, node, signal, (state) => {
      last = state;
      if (!json) line.update(() => show(state));
    });
    if (json) printJson({ ...result, skipped });
    else {
      line.finish(show(last));
      tell("warning  ", result.warnings);
      tell("FAILED   ", result.failed);
      printLine(
        `${result.sent} of ${files.length} sent to ${node.aeTitle} at ${node.host}:${node.port}.`,
      );
    }
    return result.failed.length === 0 ? ExitCode.Ok : ExitCode.Failed;
  } catch (error) {
    if (signal.aborted) {
      warnLine(`Stopped after ${last.done} of ${files.length}.`);
      return ExitCode.Failed;
    }
    const { problem, advice } = explain(error, node);
    if (json) printJson({ error: problem, advice });
    else {
      line.finish(show(last));
      warnLine(problem);
      warnLine(advice);
    }
    return ExitCode.Failed;
  }
}

/** One line for each; names of files come from whoever made the disc. */
function tell(what: string, problems: readonly Problem[]): void {
  for (const { path, reason } of problems) {
    warnLine(`${what} ${escapeText(path, 1024)}: ${escapeText(reason, 1024)}`);
  }
}

async function look(path: string, files: DicomFile[], skipped: Problem[]): Promise<void> {
  try {
    files.push(await inspect(path));
  } catch (error) {
    skipped.push({ path, reason: error instanceof Error ? error.message : String(error) });
  }
}
