/*
 * `explain`: which route a file would take, and why; what each destination would get, and where a folder would keep it.
 *
 * Reads the head of each file and nothing else: no spool, no network. It says what the configuration makes of an instance;
 * which transfer syntaxes a PACS takes is `doctor`'s to find out.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import { archivePath } from "../delivery/archive_path.ts";
import { HeaderReader, type Identification } from "../dicom/header.ts";
import { HEAD_READ_LENGTH, Part10Error, PREAMBLE_LENGTH, readFileMeta } from "../dicom/part10.ts";
import { sopClassName } from "../dicom/sop_class.ts";
import {
  EXPLICIT_VR_BE,
  EXPLICIT_VR_LE,
  IMPLICIT_VR_LE,
  isUid,
  isUncompressed,
  transferSyntaxName,
} from "../dicom/uid.ts";
import { escapeText } from "../log.ts";
import { explainRoute, type RouteCheck, type RouteExplanation } from "../routing/routing.ts";
import { canTranscode } from "../transcode/syntaxes.ts";
import { ExitCode } from "./exit_code.ts";
import { formatDuration, printJson, printLine, warnLine } from "./terminal.ts";

export interface ExplainOptions {
  /** Calling AE title to suppose; undefined: the one in the file meta. */
  readonly from: string | undefined;
  /** Called AE title to suppose; undefined: the one in the file meta, else our own. */
  readonly called: string | undefined;
  readonly json: boolean;
}

/** What a file says of itself. */
export interface FileFacts {
  readonly identification: Identification;
  readonly transferSyntaxUid: string;
  /** False where the file is a bare data set, whose encoding had to be found out. */
  readonly part10: boolean;
  /** From the file meta; empty where it says nothing. */
  readonly sourceAeTitle: string;
  readonly receivingAeTitle: string;
}

/** Enough of a file for its file meta and its identifying elements, in bytes. */
const LOOKED_AT = HEAD_READ_LENGTH + 256 * 1024;

/** Runs `explain`. The exit code is 1 where a file could not be read or goes nowhere. */
export async function explainCommand(
  config: Config,
  paths: readonly string[],
  options: ExplainOptions,
): Promise<ExitCode> {
  let code: ExitCode = ExitCode.Ok;
  const told: unknown[] = [];
  for (const [n, path] of paths.entries()) {
    try {
      const found = explanationOf(config, factsOf(await readHead(path)), options);
      if (found.route.destinations.length === 0) code = ExitCode.Failed;
      if (options.json) told.push({ file: path, ...found });
      else {
        if (n > 0) printLine();
        printLine(`${escapeText(path, 1024)}`);
        for (const line of inWords(config, found)) printLine(`  ${line}`);
      }
    } catch (error) {
      if (!isTrouble(error)) throw error;
      code = ExitCode.Failed;
      if (options.json) told.push({ file: path, error: error.message });
      else warnLine(`${escapeText(path, 1024)}: ${escapeText(error.message, 1024)}`);
    }
  }
  if (options.json) printJson(told);
  return code;
}

/** A file that is none, is not there, or may not be read. */
function isTrouble(error: unknown): error is Error {
  return error instanceof Part10Error || error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.IsADirectory ||
    (error instanceof Error && /os error/.test(error.message));
}

async function readHead(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(LOOKED_AT);
  let length = 0;
  while (length < head.length) {
    const got = await file.read(head.subarray(length));
    if (got === null) break;
    length += got;
  }
  return head.subarray(0, length);
}

/**
 * What the first bytes of a file say: of a Part 10 file (PS3.10 §7.1), or of a data set without a file meta, whose
 * encoding is the one it can be read in.
 *
 * @throws {Part10Error} where it is neither
 */
export function factsOf(head: Uint8Array): FileFacts {
  const isPart10 = new TextDecoder().decode(head.subarray(PREAMBLE_LENGTH, PREAMBLE_LENGTH + 4)) ===
    "DICM";
  if (isPart10) {
    const { meta, dataSetOffset } = readFileMeta(head);
    const header = new HeaderReader(meta.transferSyntaxUid);
    header.push(head.subarray(dataSetOffset));
    header.end();
    const { identification } = header;
    identification.sopClassUid ||= meta.sopClassUid;
    identification.sopInstanceUid ||= meta.sopInstanceUid;
    const { transferSyntaxUid, sourceAeTitle, receivingAeTitle } = meta;
    return {
      identification,
      transferSyntaxUid,
      part10: true,
      sourceAeTitle: sourceAeTitle.trim(),
      receivingAeTitle: receivingAeTitle.trim(),
    };
  }
  for (const transferSyntaxUid of [EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE]) {
    const header = new HeaderReader(transferSyntaxUid);
    header.push(head);
    header.end();
    const { identification } = header;
    if (header.state === "unreadable" || !isUid(identification.sopClassUid)) continue;
    const none = { sourceAeTitle: "", receivingAeTitle: "" };
    return { identification, transferSyntaxUid, part10: false, ...none };
  }
  throw new Part10Error(
    "No DICOM file: bytes 128 to 131 are not DICM (PS3.10 7.1), and it is no data set with a SOP Class UID",
  );
}

/** What one destination would get. */
export interface Delivery {
  readonly name: string;
  /** Where it is sent, or the file it becomes. */
  readonly to: string;
  /** In what transfer syntax. */
  readonly transferSyntax: string;
  /** When, where it is not at once; null else. */
  readonly waits: string | null;
}

export interface Explanation {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** Where the titles come from: an option, the file, or the configuration. */
  readonly callingFrom: string;
  readonly calledFrom: string;
  readonly sopClassUid: string;
  readonly sopClassName: string;
  readonly modality: string | null;
  readonly transferSyntaxUid: string;
  readonly transferSyntaxName: string;
  readonly part10: boolean;
  readonly route: RouteExplanation;
  readonly deliveries: readonly Delivery[];
}

/** Which way an instance would go. Pure. */
export function explanationOf(
  config: Config,
  file: FileFacts,
  options: Pick<ExplainOptions, "from" | "called">,
): Explanation {
  const { identification, transferSyntaxUid, part10 } = file;
  const calling = firstOf([[options.from, "--from"], [file.sourceAeTitle, "the file meta"]], [
    "",
    "nowhere: say --from",
  ]);
  const called = firstOf(
    [[options.called, "--called"], [file.receivingAeTitle, "the file meta"]],
    [config.localAeTitle, "local_ae_title"],
  );
  const modality = identification.modality === "" ? null : identification.modality;
  const route = explainRoute(
    {
      callingAeTitle: calling[0],
      calledAeTitle: called[0],
      sopClassUid: identification.sopClassUid,
      modality,
    },
    config.routes,
    config.destinations.map(({ name }) => name),
  );
  return {
    callingAeTitle: calling[0],
    callingFrom: calling[1],
    calledAeTitle: called[0],
    calledFrom: called[1],
    sopClassUid: identification.sopClassUid,
    sopClassName: sopClassName(identification.sopClassUid),
    modality,
    transferSyntaxUid,
    transferSyntaxName: transferSyntaxName(transferSyntaxUid),
    part10,
    route,
    deliveries: route.destinations.flatMap((name) => {
      const destination = config.destinations.find((one) => one.name === name);
      return destination === undefined ? [] : [deliveryOf(config, destination, file)];
    }),
  };
}

function firstOf(
  candidates: readonly (readonly [string | undefined, string])[],
  otherwise: readonly [string, string],
): readonly [string, string] {
  for (const [text, from] of candidates) {
    if (text !== undefined && text.trim() !== "") return [text.trim(), from];
  }
  return otherwise;
}

function deliveryOf(config: Config, destination: DestinationConfig, file: FileFacts): Delivery {
  const { name } = destination;
  if (destination.type === "directory") {
    const { identification } = file;
    return {
      name,
      to: archivePath(destination.path, identification, identification.sopInstanceUid),
      transferSyntax: "as it came",
      waits: null,
    };
  }
  const { aeTitle, host, port } = destination;
  return {
    name,
    to: `${aeTitle} at ${host} port ${port}`,
    transferSyntax: syntaxInWords(file.transferSyntaxUid, destination.transcode),
    waits: config.forwardImmediately
      ? null
      : `until its study has been quiet for ${formatDuration(config.studyQuietMs)}`,
  };
}

function syntaxInWords(uid: string, transcode: boolean): string {
  if (!transcode) return "as it came; where that is refused it fails (transcode is false)";
  if (isUncompressed(uid)) {
    return "as it came; where that is refused, in the other uncompressed one";
  }
  return canTranscode(uid, EXPLICIT_VR_LE)
    ? "as it came; where that is refused, a decompressed copy"
    : "as it came; where that is refused it fails, for it cannot be decompressed here";
}

/** The lines for a person. */
export function inWords(config: Config, found: Explanation): string[] {
  const plain = (text: string) => escapeText(text, 128);
  const named = (uid: string, name: string) =>
    name === uid ? plain(uid) : `${name} (${plain(uid)})`;
  const lines = [
    `Calling AE title  ${plain(found.callingAeTitle) || "unknown"}, from ${found.callingFrom}`,
    `Called AE title   ${plain(found.calledAeTitle)}, from ${found.calledFrom}`,
    `SOP class         ${named(found.sopClassUid, found.sopClassName)}`,
    `Modality          ${found.modality === null ? "none" : plain(found.modality)}`,
    `Transfer syntax   ${named(found.transferSyntaxUid, found.transferSyntaxName)}` +
    (found.part10 ? "" : ", found out: the file has no file meta"),
    ...letIn(config, found.callingAeTitle),
    "",
  ];
  if (config.routes.length === 0) lines.push("There are no routes: everything goes everywhere.");
  for (const [n, check] of found.route.routes.entries()) {
    lines.push(...routeInWords(n, check, found.route.decides, config));
  }
  if (found.route.destinations.length === 0) {
    lines.push("", "No route matches: it would be kept in failed/unrouted until one does.");
    return lines;
  }
  lines.push("");
  for (const { name, to, transferSyntax, waits } of found.deliveries) {
    lines.push(`${name}: ${to}`, `    ${transferSyntax}`);
    if (waits !== null) lines.push(`    waits ${waits}`);
  }
  return lines;
}

/** Whether its sender may associate, as far as its title alone decides that; nothing where every title may. */
function letIn({ allowedCallingAeTitles, senders }: Config, title: string): string[] {
  const line = (text: string) => [`Sender            ${text}`];
  if (allowedCallingAeTitles.length > 0 && !allowedCallingAeTitles.includes(title)) {
    return line("REJECTED: its AE title is not in allowed_calling_ae_titles");
  }
  if (senders.length === 0) return [];
  const entries = senders.filter(({ aeTitle }) => aeTitle === title);
  if (entries.length === 0) return line("REJECTED: its AE title is not in senders");
  const places = entries.map(({ addresses }) => addresses.join(", ") || "any address");
  return line(`let in from ${places.join(", ")}`);
}

function routeInWords(
  index: number,
  check: RouteCheck,
  decides: number | null,
  config: Config,
): string[] {
  const name = `Route ${index + 1}`;
  const after = decides !== null && index > decides;
  const to = config.routes[index]?.destinations.join(", ") ?? "";
  const verdict = after
    ? `not asked: route ${decides + 1} has decided`
    : check.matches
    ? `MATCHES: to ${to}`
    : "does not match";
  const conditions = check.conditions.map(({ what, wanted, actual, met }) => {
    const there = actual === null
      ? "there is none"
      : `it is ${escapeText(actual, 64) || "unknown"}`;
    return `    ${met ? "yes" : "NO "}  ${what} out of ${wanted.join(", ")}: ${there}`;
  });
  const lines = [`${name}: ${verdict}`];
  if (after) return lines;
  if (conditions.length === 0) lines.push("    it has no condition");
  return [...lines, ...conditions];
}
