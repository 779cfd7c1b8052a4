/*
 * Names in the spool. A file's name says all the scheduler must know, so a start needs to open no file.
 *
 *     <received, ms since 1970>-<sequence>-<study hash>-<CRC-32>[.<destination>[~<tries>]...].dcm
 *
 * Pure. Nothing from the network is part of a name but as a number or a hash; destinations come from the configuration.
 */

import { crc32 } from "node:zlib";

/** A destination that an entry still waits for. */
export interface Waiting {
  readonly destination: string;
  /** Refusals so far. */
  readonly tries: number;
}

/** What stands in a name before its destinations. */
export interface EntryIdentity {
  /** ms since 1970 */
  readonly receivedMs: number;
  readonly sequence: number;
  /** Study hash and CRC-32 of the data set, unsigned 32 bit. */
  readonly studyHash: number;
  readonly crc32: number;
}

const BASE = /^(\d{1,15})-(\d{1,15})-([0-9a-f]{8})-([0-9a-f]{8})$/;

const ENDING = /^((?:\.[a-z0-9-]{1,16}(?:~\d{1,6})?)*)\.dcm$/;

/** The part of a name that stays the same for as long as the instance is in the spool. */
export function formatBase(identity: EntryIdentity): string {
  return `${identity.receivedMs}-${String(identity.sequence).padStart(6, "0")}-${
    hex8(identity.studyHash)
  }-${hex8(identity.crc32)}`;
}

/** Longest name that file systems take, in characters. */
const LONGEST_NAME = 255;

/**
 * The whole name. Where a dozen destinations leave no room for all their tries, the last ones' are not in it: a start then
 * counts them anew, which costs a few tries more.
 */
export function formatName(base: string, waiting: readonly Waiting[]): string {
  let name = "";
  let length = waiting.reduce((sum, one) => sum + one.destination.length + 1, base.length + 4);
  for (const { destination, tries } of waiting) {
    const told = tries === 0 || length + `~${tries}`.length > LONGEST_NAME ? "" : `~${tries}`;
    name += `.${destination}${told}`;
    length += told.length;
  }
  return `${base}${name}.dcm`;
}

/** What stands behind the base in a name that has room for all tries: `.a~2.b.dcm`. */
export function formatEnding(waiting: readonly Waiting[]): string {
  let ending = "";
  for (const { destination, tries } of waiting) {
    ending += tries === 0 ? `.${destination}` : `.${destination}~${tries}`;
  }
  return `${ending}.dcm`;
}

/** Reads what stands behind the base in a name; undefined where it is no such end. */
export function parseEnding(ending: string): Waiting[] | undefined {
  const match = ENDING.exec(ending);
  if (match === null) return undefined;
  return match[1]!.split(".").slice(1).map((part) => {
    const [destination, tries] = part.split("~");
    return { destination: destination!, tries: Number(tries ?? 0) };
  });
}

/** Where the base of a name ends: at its first full stop, of which a base has none. */
export function baseLength(name: string): number {
  const stop = name.indexOf(".");
  return stop < 0 ? name.length : stop;
}

/** True for what can be the base of a name. */
export function isBase(base: string): boolean {
  return BASE.test(base);
}

/** Reads a name; undefined where it is not one of the spool's. */
export function parseName(
  name: string,
): { base: string; identity: EntryIdentity; waiting: Waiting[] } | undefined {
  const base = name.slice(0, baseLength(name));
  const match = BASE.exec(base);
  const waiting = parseEnding(name.slice(base.length));
  if (match === null || waiting === undefined) return undefined;
  const [, received, sequence, study, crc] = match;
  return {
    base,
    identity: {
      receivedMs: Number(received),
      sequence: Number(sequence),
      studyHash: parseInt(study!, 16),
      crc32: parseInt(crc!, 16),
    },
    waiting,
  };
}

/** Destinations in a name that may be told by trying. */
const MOST_TRIED = 4;

/**
 * The names that a file may have when some of the destinations were taken out of its name, by itself first.
 *
 * @returns undefined where it is not one of the queue's, or these would be too many to try
 */
export function namesLeft(name: string): string[] | undefined {
  const parsed = parseName(name);
  if (parsed === undefined || parsed.waiting.length > MOST_TRIED) return undefined;
  const { base, waiting } = parsed;
  const names: string[] = [];
  // Each number is a set of destinations, a bit for each that is left; the whole set first, the empty one never.
  for (let left = (1 << waiting.length) - 1; left > 0; left--) {
    names.push(formatName(base, waiting.filter((_, n) => (left >> n) & 1)));
  }
  return names;
}

/** The folder of the queue that a study's entries are in: the first byte of its hash, two hexadecimal digits. */
export function bucketOf(studyHash: number): string {
  return hex8(studyHash).slice(0, 2);
}

/** The same, from a base name. */
export function bucketIn(base: string): string {
  return base.slice(-17, -15);
}

/** The study part of a base name, which is all that grouping by study needs. */
export function studyOf(base: string): string {
  return base.slice(-17, -9);
}

/** The CRC-32 of the data set as a base name has it: eight hexadecimal digits. */
export function crcOf(base: string): string {
  return base.slice(-8);
}

/** When a base name says that the instance was received, in ms since 1970. */
export function receivedMsOf(base: string): number {
  return Number(base.slice(0, base.indexOf("-")));
}

/** The sequence in a base name. */
export function sequenceOf(base: string): number {
  const from = base.indexOf("-") + 1;
  return Number(base.slice(from, base.indexOf("-", from)));
}

/** A study's hash: it groups, it does not identify. An absent Study Instance UID hashes, too. */
export function hashStudy(studyInstanceUid: string): number {
  return crc32(studyInstanceUid);
}

/** Eight hexadecimal digits, as a name has them. */
export function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}
