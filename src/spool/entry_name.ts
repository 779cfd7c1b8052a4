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
  tries: number;
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

const NAME =
  /^(\d{1,15})-(\d{1,15})-([0-9a-f]{8})-([0-9a-f]{8})((?:\.[a-z0-9-]{1,16}(?:~\d{1,6})?)*)\.dcm$/;

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

/** Reads a name; undefined where it is not one of the spool's. */
export function parseName(
  name: string,
): { base: string; identity: EntryIdentity; waiting: Waiting[] } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, received, sequence, study, crc, destinations] = match;
  // Made at its length: an array that grows takes room for seventeen, and there may be a million of them.
  const waiting = destinations!.split(".").slice(1).map((part): Waiting => {
    const [destination, tries] = part.split("~");
    return { destination: destination!, tries: Number(tries ?? 0) };
  });
  const end = name.length - 4 - destinations!.length;
  return {
    base: name.slice(0, end),
    identity: {
      receivedMs: Number(received),
      sequence: Number(sequence),
      studyHash: parseInt(study!, 16),
      crc32: parseInt(crc!, 16),
    },
    waiting,
  };
}

/** The folder of the queue that a study's entries are in: the first byte of its hash, two hexadecimal digits. */
export function bucketOf(studyHash: number): string {
  return hex8(studyHash).slice(0, 2);
}

/** The study part of a base name, which is all that grouping by study needs. */
export function studyOf(base: string): string {
  return base.slice(-17, -9);
}

/** The CRC-32 of the data set as a base name has it: eight hexadecimal digits. */
export function crcOf(base: string): string {
  return base.slice(-8);
}

/** The sequence in a base name. */
export function sequenceOf(base: string): number {
  return Number(base.split("-", 2)[1]);
}

/** A study's hash: it groups, it does not identify. An absent Study Instance UID hashes, too. */
export function hashStudy(studyInstanceUid: string): number {
  return crc32(studyInstanceUid);
}

/** Eight hexadecimal digits, as a name has them. */
export function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}
