/*
 * The shapes that single values of the configuration file may have, each with the words for what is WANTED.
 */

import { isIP } from "node:net";
import { z } from "zod";

/** Longest time-out of any kind, seconds. */
const MAX_SECONDS = 86_400;

/** Most destinations one entry can name: their names are part of its file name, which ends at 255 characters. */
export const MAX_DESTINATIONS = 12;

export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape, wanted: string) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? Object.keys(shape).join(" ") : `an object: ${wanted}`,
  });
}

export function list<Item extends z.ZodType>(item: Item, wanted: string) {
  return z.array(item, { error: `a list: ${wanted}` });
}

export function text(pattern: RegExp, wanted: string) {
  return z.string({ error: wanted }).regex(pattern, { error: wanted });
}

export function whole(least: number, most: number, what = "") {
  const error = `a whole number from ${least} to ${most}${what}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export function flag() {
  return z.boolean({ error: "true or false, without quotes" });
}

export function amount(least: number, most: number, what: string) {
  const error = `a number of ${what} from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

export function seconds(usual: number) {
  const error = `a number of seconds from 0.01 to ${MAX_SECONDS}`;
  return z.number({ error }).min(0.01, { error }).max(MAX_SECONDS, { error }).default(usual);
}

/** AE: 1 to 16 characters of the default repertoire without backslash and control characters, not only spaces (PS3.5 §6.2). */
export function aeTitle() {
  return text(
    /^(?=.*[^ ])[ -\[\]-~]{1,16}$/,
    "an AE title: 1 to 16 ASCII characters, no backslash, not only spaces",
  );
}

export function host() {
  return text(/^[A-Za-z0-9._:%-]{1,253}$/, 'a host name or IP address, such as "192.168.1.20"');
}

export function port() {
  return whole(1, 65_535);
}

/** Control characters are what a single backslash makes of `D:\new`: no folder has them. */
export function folder() {
  return path("a folder");
}

export function path(what: string) {
  return text(
    /^[^\p{Cc}]{1,1024}$/u,
    `the path of ${what}; backslashes are written twice ("D:\\\\dicom") or as /`,
  );
}

export function name() {
  return text(/^[a-z0-9-]{1,16}$/, "a name of 1 to 16 characters out of a-z, 0-9 and -");
}

export function maxPduLength() {
  const wanted = "0 (no limit) or a whole number of bytes from 4096 to 16777216";
  return z.union([
    z.literal(0, { error: wanted }),
    z.int({ error: wanted }).min(4096, { error: wanted }).max(16_777_216, { error: wanted }),
  ], { error: wanted }).default(131_072);
}

/** Bytes: a whole number, or a number with a unit; B, kB, MB, GB, TB are powers of 1000, KiB ... TiB of 1024. */
const SIZE = /^([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([kKMGT]i?)?B$/;

export function byteSize(usual: string) {
  const wanted = 'a number of bytes, or a text such as "500MB", "2GB" or "1GiB"';
  return z.union([z.int({ error: wanted }).min(0, { error: wanted }), text(SIZE, wanted)], {
    error: wanted,
  }).default(usual);
}

/**
 * Bytes of a size setting.
 *
 * @param size a number of bytes, or text such as "1GB" (10^9) and "1GiB" (2^30) that the schema has accepted
 * @throws RangeError where the text is no size
 */
export function bytesOf(size: number | string): number {
  if (typeof size === "number") return size;
  const parts = SIZE.exec(size);
  if (parts === null) throw new RangeError(`"${size}" is not a size such as "500MB"`);
  const unit = parts[2] ?? "";
  const power = "KMGT".indexOf(unit.charAt(0).toUpperCase() || "?") + 1;
  return Math.round(Number(parts[1]) * (unit.endsWith("i") ? 1024 : 1000) ** power);
}

/** True for an IPv4 or IPv6 address, alone or with a prefix length behind a slash. */
function isAddressRange(range: string): boolean {
  const [address = "", prefix, ...rest] = range.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || Number(prefix) <= (version === 4 ? 32 : 128);
}

export function addressRange() {
  const wanted = 'an IP address or a range such as "192.168.1.0/24"';
  return text(/^[0-9A-Fa-f:.]+(\/[0-9]{1,3})?$/, wanted).refine(isAddressRange, { error: wanted });
}

/** As src/access/password.ts makes it: scrypt with its parameters, salt and hash in base64url. */
export const PASSWORD_HASH =
  /^\$scrypt\$ln=1[0-7],r=([1-9]|1[0-6]),p=[1-8]\$[A-Za-z0-9_-]{16,64}\$[A-Za-z0-9_-]{43}$/;

export function retryAttempts() {
  return whole(0, 100);
}

export function pemFiles(what: string) {
  const wanted = `the path of ${what} (PEM), or a list of such paths`;
  return z.union([path(what), list(path(what), wanted).min(1, { error: wanted })], {
    error: wanted,
  });
}

export function passphrase() {
  return text(/^[^\p{Cc}]{1,1024}$/u, "a passphrase");
}

export function tlsVersion() {
  return z.enum(["1.2", "1.3"], { error: '"1.2" or "1.3"' }).default("1.2");
}
