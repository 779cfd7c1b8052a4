/*
 * Presentation contexts: which of those proposed are accepted, and which to propose (PS3.8 §7.1.1.13, PS3.7 Annex D).
 *
 * Pure functions of what was proposed or what waits. They neither know sockets nor who may associate.
 */

import { EXPLICIT_VR_LE, IMPLICIT_VR_LE, isUid, isUncompressed } from "../dicom/uid.ts";
import { type AnsweredContext, ContextResult, type ProposedContext } from "./pdu.ts";

/** A context both sides agreed on. */
export interface AcceptedContext {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
}

/** Context ids are the odd numbers 1 to 255 (PS3.8 §9.3.2.2): so many fit an association. */
export const MOST_CONTEXTS = 128;

/**
 * Answers every proposed context once, in the order proposed.
 *
 * The transfer syntax proposed first is taken: a forwarder passes bytes through, so the sender's preference is as good as
 * any. An id that is even, or proposed a second time, gets no acceptance, for data on it could not be told apart.
 *
 * @param accepts whether an abstract syntax is served here
 */
export function answerContexts(
  proposed: readonly ProposedContext[],
  accepts: (abstractSyntax: string) => boolean,
): AnsweredContext[] {
  const seen = new Set<number>();
  const answers: AnsweredContext[] = [];
  for (const context of proposed) {
    if (seen.has(context.id)) continue;
    seen.add(context.id);
    // It becomes part of a stored file's head, which has room for UIDs and for nothing else.
    const transferSyntax = context.transferSyntaxes.find(isUid);
    const result = (context.id & 1) === 0
      ? ContextResult.NoReason
      : !accepts(context.abstractSyntax)
      ? ContextResult.AbstractSyntaxNotSupported
      : transferSyntax === undefined
      ? ContextResult.TransferSyntaxesNotSupported
      : ContextResult.Acceptance;
    answers.push({ id: context.id, result, transferSyntax: transferSyntax ?? IMPLICIT_VR_LE });
  }
  return answers;
}

/** The accepted contexts by id. An answer for an id or a transfer syntax that was never proposed counts as none. */
export function acceptedContexts(
  proposed: readonly ProposedContext[],
  answers: readonly AnsweredContext[],
): Map<number, AcceptedContext> {
  // Of two proposals of one id, the first is the one that was answered.
  const byId = new Map(proposed.toReversed().map((context) => [context.id, context]));
  const accepted = new Map<number, AcceptedContext>();
  for (const { id, result, transferSyntax } of answers) {
    const context = byId.get(id);
    if (result !== ContextResult.Acceptance || context === undefined) continue;
    if (!context.transferSyntaxes.includes(transferSyntax)) continue;
    accepted.set(id, { id, abstractSyntax: context.abstractSyntax, transferSyntax });
  }
  return accepted;
}

/** What an instance needs of an association. */
export interface StoragePair {
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
}

/**
 * Plans the contexts to propose for the instances that wait: for each pair one context with the stored transfer syntax
 * alone, and for each SOP class one context each for the two uncompressed syntaxes that can be made of any other, so
 * that the peer's answer says for each of them whether it takes it. Pairs come first, in the order given; what does not
 * fit `MOST_CONTEXTS` is left for another association.
 *
 * @param fallbacks whether to propose uncompressed syntaxes beside the stored ones
 */
export function planContexts(
  pairs: Iterable<StoragePair>,
  fallbacks: boolean,
): ProposedContext[] {
  const planned: ProposedContext[] = [];
  const seen = new Set<string>();
  function propose(sopClassUid: string, transferSyntaxUid: string): void {
    const key = `${sopClassUid} ${transferSyntaxUid}`;
    if (seen.has(key) || planned.length === MOST_CONTEXTS) return;
    seen.add(key);
    planned.push({
      id: planned.length * 2 + 1,
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    });
  }
  const classes = new Set<string>();
  for (const pair of pairs) {
    propose(pair.sopClassUid, pair.transferSyntaxUid);
    classes.add(pair.sopClassUid);
  }
  if (fallbacks) {
    for (const sopClassUid of classes) {
      propose(sopClassUid, EXPLICIT_VR_LE);
      propose(sopClassUid, IMPLICIT_VR_LE);
    }
  }
  return planned;
}

/** How an instance can travel on an association. */
export type Carriage =
  | { readonly kind: "as-stored"; readonly context: AcceptedContext }
  | { readonly kind: "transcoded"; readonly context: AcceptedContext }
  | { readonly kind: "transfer-syntax-refused" }
  | { readonly kind: "sop-class-refused"; readonly result: number }
  | { readonly kind: "not-proposed" };

/** Finds the context for an instance among those proposed and accepted: as stored first, uncompressed else. */
export function findCarriage(
  pair: StoragePair,
  proposed: readonly ProposedContext[],
  accepted: ReadonlyMap<number, AcceptedContext>,
  answers: readonly AnsweredContext[],
): Carriage {
  let proposedAsStored: ProposedContext | undefined;
  let uncompressed: AcceptedContext | undefined;
  for (const context of proposed) {
    if (context.abstractSyntax !== pair.sopClassUid) continue;
    const agreed = accepted.get(context.id);
    if (context.transferSyntaxes.includes(pair.transferSyntaxUid)) proposedAsStored ??= context;
    if (agreed?.transferSyntax === pair.transferSyntaxUid) {
      return { kind: "as-stored", context: agreed };
    }
    if (agreed !== undefined && isUncompressed(agreed.transferSyntax)) uncompressed ??= agreed;
  }
  if (proposedAsStored === undefined) return { kind: "not-proposed" };
  if (uncompressed !== undefined) return { kind: "transcoded", context: uncompressed };
  const id = proposedAsStored.id;
  const result = answers.find((answer) => answer.id === id)?.result ?? ContextResult.NoReason;
  // Accepted and yet not among the accepted: with a transfer syntax of the peer's own choice.
  return result === ContextResult.TransferSyntaxesNotSupported ||
      result === ContextResult.Acceptance
    ? { kind: "transfer-syntax-refused" }
    : { kind: "sop-class-refused", result };
}
