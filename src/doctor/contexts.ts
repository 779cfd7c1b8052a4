/*
 * What a node takes: which SOP classes in which transfer syntaxes, found out by proposing each pair alone, and what that
 * means for what waits for it.
 *
 * Pure. A context that proposes several transfer syntaxes would be answered with one of them (PS3.8 §9.3.3.2), and say
 * nothing of the others; so each has a context of its own, and there are as many associations as those need.
 */

import { COMMON_STORAGE_CLASSES, sopClassName } from "../dicom/sop_class.ts";
import {
  DEFLATED_EXPLICIT_VR_LE,
  EXPLICIT_VR_LE,
  IMPLICIT_VR_LE,
  transferSyntaxName,
  VERIFICATION,
} from "../dicom/uid.ts";
import { canTranscode } from "../transcode/syntaxes.ts";
import { MOST_CONTEXTS, type StoragePair } from "../ul/negotiation.ts";
import type { AnsweredContext, ProposedContext } from "../ul/pdu.ts";
import { ContextResult } from "../ul/pdu.ts";
import { type Finding, ok, problem, Rank, unknown } from "./finding.ts";

/** The transfer syntaxes that are asked for, with what heads their column. */
export const SYNTAXES: readonly (readonly [uid: string, label: string])[] = [
  [IMPLICIT_VR_LE, "impl"],
  [EXPLICIT_VR_LE, "expl"],
  [DEFLATED_EXPLICIT_VR_LE, "defl"],
  ["1.2.840.10008.1.2.5", "rle"],
  ["1.2.840.10008.1.2.4.50", "jpeg"],
  ["1.2.840.10008.1.2.4.51", "jp12"],
  ["1.2.840.10008.1.2.4.70", "jpll"],
  ["1.2.840.10008.1.2.4.80", "jls"],
  ["1.2.840.10008.1.2.4.81", "jlsn"],
  ["1.2.840.10008.1.2.4.90", "j2kl"],
  ["1.2.840.10008.1.2.4.91", "j2k"],
  ["1.2.840.10008.1.2.4.201", "htjl"],
  ["1.2.840.10008.1.2.4.100", "mpg2"],
  ["1.2.840.10008.1.2.4.102", "mpg4"],
];

/** What the heads of the columns stand for. */
export const LEGEND: readonly string[] = [
  "impl, expl: implicit and explicit VR little endian   defl: deflated   rle: RLE",
  "jpeg: JPEG baseline   jp12: JPEG extended, 12 bit   jpll: JPEG lossless",
  "jls, jlsn: JPEG-LS lossless, near-lossless   j2kl, j2k: JPEG 2000 lossless, lossy",
  "htjl: HTJ2K lossless   mpg2, mpg4: MPEG-2, MPEG-4",
];

/** Instances of one SOP class and transfer syntax that wait for a node. */
export interface WaitingPair extends StoragePair {
  readonly count: number;
}

/**
 * The contexts of each association: all common storage classes, and what waits, each in all of the transfer syntaxes and
 * in its own. The first association proposes Verification, too.
 */
export function planProbes(waiting: readonly StoragePair[]): ProposedContext[][] {
  const pairs = new Map<string, StoragePair>();
  const add = (sopClassUid: string, transferSyntaxUid: string) =>
    pairs.set(`${sopClassUid} ${transferSyntaxUid}`, { sopClassUid, transferSyntaxUid });
  // What waits comes first, for it matters most should the node end the test early.
  for (const { sopClassUid, transferSyntaxUid } of waiting) add(sopClassUid, transferSyntaxUid);
  const classes = new Set([
    ...waiting.map(({ sopClassUid }) => sopClassUid),
    ...COMMON_STORAGE_CLASSES,
  ]);
  for (const sopClassUid of classes) {
    for (const [transferSyntaxUid] of SYNTAXES) add(sopClassUid, transferSyntaxUid);
  }
  const all: Omit<ProposedContext, "id">[] = [
    { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LE, EXPLICIT_VR_LE] },
    ...[...pairs.values()].map(({ sopClassUid, transferSyntaxUid }) => ({
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    })),
  ];
  const associations: ProposedContext[][] = [];
  for (let at = 0; at < all.length; at += MOST_CONTEXTS) {
    associations.push(
      all.slice(at, at + MOST_CONTEXTS).map((context, n) => ({ id: 2 * n + 1, ...context })),
    );
  }
  return associations;
}

/** What has been found out of a node so far: the answer to each pair asked for. */
export class Acceptance {
  readonly #results = new Map<string, Map<string, number>>();

  /** Takes the answers of one association. */
  learn(proposed: readonly ProposedContext[], answers: readonly AnsweredContext[]): void {
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    for (const { id, abstractSyntax, transferSyntaxes: [wanted = ""] } of proposed) {
      if (abstractSyntax === VERIFICATION) continue;
      const answer = byId.get(id);
      const agreed = answer?.result === ContextResult.Acceptance &&
        answer.transferSyntax === wanted;
      const result = agreed
        ? ContextResult.Acceptance
        : answer === undefined || answer.result === ContextResult.Acceptance
        ? ContextResult.NoReason
        : answer.result;
      let syntaxes = this.#results.get(abstractSyntax);
      if (syntaxes === undefined) this.#results.set(abstractSyntax, syntaxes = new Map());
      syntaxes.set(wanted, result);
    }
  }

  /** Undefined where it was not asked. */
  takes({ sopClassUid, transferSyntaxUid }: StoragePair): boolean | undefined {
    const result = this.#results.get(sopClassUid)?.get(transferSyntaxUid);
    return result === undefined ? undefined : result === ContextResult.Acceptance;
  }

  /** The SOP classes asked for, each with the transfer syntaxes it is taken in. */
  get classes(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#results].map(([sopClass, syntaxes]) => [
      sopClass,
      [...syntaxes].filter(([, result]) => result === ContextResult.Acceptance).map(([uid]) => uid),
    ]));
  }
}

/** What the answers mean, all together. */
export function judgeAcceptance(acceptance: Acceptance, aeTitle: string): Finding {
  const classes = [...acceptance.classes];
  const taken = classes.filter(([, syntaxes]) => syntaxes.length > 0);
  if (classes.length === 0) return unknown("storage", "what it takes was not found out");
  if (taken.length === 0) {
    return problem("storage", `it takes none of ${classes.length} storage SOP classes`, {
      text:
        `On ${aeTitle}, enable storage (C-STORE SCP) for our AE title; this may be the port of another of its services.`,
      rank: Rank.Sending,
    });
  }
  return ok("storage", `it takes ${taken.length} of ${classes.length} storage SOP classes`);
}

/** What the answers mean for what waits. */
export function judgeWaiting(
  acceptance: Acceptance,
  waiting: readonly WaitingPair[],
  transcode: boolean,
  aeTitle: string,
): Finding[] {
  if (waiting.length === 0) return [ok("waiting", "nothing waits for it")];
  const findings: Finding[] = [];
  let taken = 0;
  let converted = 0;
  for (const pair of waiting) {
    const asked = acceptance.takes(pair);
    if (asked === true) taken += pair.count;
    else if (asked === undefined) continue;
    else if (transcode && canBeMade(acceptance, pair)) converted += pair.count;
    else findings.push(refused(acceptance, pair, transcode, aeTitle));
  }
  const halves = [
    ...(taken > 0 ? [`${taken} as they are`] : []),
    ...(converted > 0 ? [`${converted} after decompressing them`] : []),
  ];
  if (halves.length > 0) {
    findings.unshift(ok("waiting", `of what waits for it, it takes ${halves.join(", ")}`));
  }
  return findings;
}

function canBeMade(acceptance: Acceptance, { sopClassUid, transferSyntaxUid }: StoragePair) {
  return [EXPLICIT_VR_LE, IMPLICIT_VR_LE].some((other) =>
    canTranscode(transferSyntaxUid, other) &&
    acceptance.takes({ sopClassUid, transferSyntaxUid: other }) === true
  );
}

function refused(
  acceptance: Acceptance,
  { sopClassUid, transferSyntaxUid, count }: WaitingPair,
  transcode: boolean,
  aeTitle: string,
): Finding {
  const name = sopClassName(sopClassUid);
  const syntax = transferSyntaxName(transferSyntaxUid);
  const some = acceptance.classes.get(sopClassUid) ?? [];
  const what = name === sopClassUid ? name : `${name} (${sopClassUid})`;
  const text = some.length === 0
    ? `${count} that wait are ${what}, which it does not take at all`
    : `${count} that wait are ${what} in ${syntax}, which it does not take` +
      (transcode ? "" : ", and transcode is false");
  const change = some.length === 0
    ? `On ${aeTitle}, enable the SOP class ${what}, or route it to another destination.`
    : `On ${aeTitle}, enable ${syntax} for ${what}` +
      (!transcode && canTranscode(transferSyntaxUid, EXPLICIT_VR_LE)
        ? ", or set transcode to true."
        : ", or route it to another destination.");
  return problem("waiting", text, { text: change, rank: Rank.Sending });
}

/**
 * The answers as a matrix: a column for each transfer syntax, SOP classes with the same answers together.
 *
 * @param width columns of the terminal
 */
export function matrix(acceptance: Acceptance, width: number): string[] {
  const groups = new Map<string, string[]>();
  for (const [sopClass, syntaxes] of acceptance.classes) {
    const row = SYNTAXES.map(([uid]) => syntaxes.includes(uid) ? "+" : ".").join("    ");
    const group = groups.get(row);
    if (group === undefined) groups.set(row, [sopClassName(sopClass)]);
    else group.push(sopClassName(sopClass));
  }
  if (groups.size === 0) return [];
  const lines = [SYNTAXES.map(([, label]) => label.padEnd(5)).join("").trimEnd()];
  for (const [row, names] of groups) lines.push(row, ...wrapped(names, width, "  "));
  return lines;
}

function wrapped(names: readonly string[], width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const [n, name] of names.entries()) {
    const word = n === names.length - 1 ? name : `${name}, `;
    if (line.length + word.trimEnd().length > width && line !== indent) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += word;
  }
  return [...lines, line.trimEnd()];
}
