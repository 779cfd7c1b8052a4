/*
 * A peer's certificate held against the issuers that are trusted, independently of the runtime's TLS.
 *
 * The runtime checks a certificate while it shakes hands; this checks it again with nothing but signatures, dates and
 * extensions, so that one defect alone lets nobody in. It is also where a refusal gets its words. Pure; RFC 5280 §6 without
 * policies, name constraints and revocation lists.
 */

import { X509Certificate } from "node:crypto";
import { type DerObject, readDer, Tag } from "./der.ts";

/** Certificates between a peer's and a trusted one, at most. */
const LONGEST_CHAIN = 6;

/** Extended key usages (RFC 5280 §4.2.1.12). */
const USAGES = {
  server: "2b06010505070301",
  client: "2b06010505070302",
  any: "551d2500",
} as const;

/** id-ce-extKeyUsage, 2.5.29.37 */
const EXTENDED_KEY_USAGE = "551d25";

/** Who the certificate is of, for people: its common name, else the whole subject. */
export function nameOf(certificate: X509Certificate): string {
  const subject = certificate.subject ?? "";
  const common = /(?:^|\n)CN=([^\n]*)/.exec(subject)?.[1];
  return (common ?? subject.replaceAll("\n", ", ")).slice(0, 100) || "(no name)";
}

/** ms since 1970 */
export function validity(
  certificate: X509Certificate,
): { readonly from: number; readonly to: number } {
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}

/**
 * Why a certificate is not to be trusted; undefined where it is.
 *
 * @param presented as the peer sent them, its own first
 * @param trusted issuers that are trusted
 * @param now ms since 1970
 */
export function distrust(
  presented: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  purpose: "server" | "client",
  now: number,
): string | undefined {
  const [own, ...others] = presented;
  if (own === undefined) return "it showed no certificate";
  const who = `its certificate ("${nameOf(own)}")`;
  const time = outOfTime(own, now);
  if (time !== undefined) return `${who} ${time}`;
  let usages: readonly string[] | undefined;
  try {
    usages = extendedUsages(own.raw);
  } catch {
    return `${who} cannot be read`;
  }
  if (usages !== undefined && !usages.includes(USAGES[purpose]) && !usages.includes(USAGES.any)) {
    return `${who} is not meant for a ${purpose} (extended key usage)`;
  }
  if (own.ca && !trusted.some((one) => isSame(one, own))) {
    return `${who} is one of an issuer, not of a ${purpose}`;
  }
  let current = own;
  for (let depth = 0; depth <= LONGEST_CHAIN; depth++) {
    const subject = current;
    const root = trusted.find((one) => isSame(one, subject) || isIssuedBy(subject, one));
    if (root !== undefined) {
      const late = outOfTime(root, now);
      return late === undefined ? undefined : `the issuer "${nameOf(root)}" of ${who} ${late}`;
    }
    const between = others.find((one) =>
      one.ca && !isSame(one, subject) && isIssuedBy(subject, one)
    );
    if (between === undefined) break;
    const late = outOfTime(between, now);
    if (late !== undefined) return `the issuer "${nameOf(between)}" of ${who} ${late}`;
    current = between;
  }
  return own.subject === own.issuer
    ? `${who} is signed by itself, and no such certificate is trusted here`
    : `${who} is by an issuer that is not trusted here ("${issuerOf(own)}")`;
}

function issuerOf(certificate: X509Certificate): string {
  const issuer = certificate.issuer ?? "";
  return (/(?:^|\n)CN=([^\n]*)/.exec(issuer)?.[1] ?? issuer.replaceAll("\n", ", ")).slice(0, 100);
}

function outOfTime(certificate: X509Certificate, now: number): string | undefined {
  const { from, to } = validity(certificate);
  // What is no date is not within.
  if (!(now >= from)) return `is not valid before ${day(from)}: is a clock wrong?`;
  if (!(now <= to)) return `has expired on ${day(to)}`;
  return undefined;
}

function day(at: number): string {
  return Number.isNaN(at) ? "(no date)" : new Date(at).toISOString().slice(0, 16).replace("T", " ");
}

function isSame(one: X509Certificate, other: X509Certificate): boolean {
  return one.fingerprint256 === other.fingerprint256;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** The extended key usages of a certificate, in hex; undefined where it has none, which means any. */
function extendedUsages(raw: Uint8Array): string[] | undefined {
  const [certificate] = readDer(raw);
  const [signed] = readDer(certificate?.content ?? new Uint8Array());
  const wrapped = readDer(signed?.content ?? new Uint8Array()).find(({ tag }) => tag === 0xa3);
  if (wrapped === undefined) return undefined;
  for (const { content } of children(readDer(wrapped.content)[0])) {
    const [id, ...rest] = readDer(content);
    if (id?.tag !== Tag.ObjectIdentifier || hex(id.content) !== EXTENDED_KEY_USAGE) continue;
    const value = rest.find(({ tag }) => tag === Tag.OctetString);
    const list = value === undefined ? undefined : readDer(value.content)[0];
    return children(list).map((one) => hex(one.content));
  }
  return undefined;
}

function children(object: DerObject | undefined): DerObject[] {
  return object === undefined ? [] : readDer(object.content);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
