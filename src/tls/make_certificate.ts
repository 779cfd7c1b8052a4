/*
 * Certificates made here: X.509 version 3 (RFC 5280 §4.1), keys and signatures ECDSA on P-256 with SHA-256.
 *
 * For a site that has no authority of its own, for the test of our own port, and for tests. Keys are made by the runtime
 * and leave it once, as PKCS #8. Owns which extensions a certificate has.
 */

import { isIP } from "node:net";
import { der, derText, identifier, integer, octets, sequence, Tag } from "./der.ts";

/** What a certificate is to be good for. */
export type Purpose = "authority" | "server" | "client";

/** A certificate with its key. */
export interface Made {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8, not encrypted. */
  readonly key: string;
  readonly subject: string;
  readonly keys: CryptoKeyPair;
}

/** What is wanted of a certificate. */
export interface Wanted {
  readonly subject: string;
  readonly purpose: Purpose;
  /** Host names and IP addresses it is for. */
  readonly names?: readonly string[];
  /** ms since 1970 */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Who signs it; itself when absent. */
  readonly issuer?: Made;
}

/** ecdsa-with-SHA256 (RFC 5758 §3.2). */
const SIGNED_BY = sequence(identifier("1.2.840.10045.4.3.2"));
const COMMON_NAME = "2.5.4.3";
const YES = der(Tag.Boolean, Uint8Array.of(0xff));
const EXTENDED_USAGE = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/** Makes a key pair and a certificate for it. */
export async function makeCertificate(wanted: Wanted): Promise<Made> {
  const keys = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const signer = wanted.issuer?.keys ?? keys;
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = serial[0]! & 0x7f | 0x01;
  const signed = sequence(
    der(0xa0, der(Tag.Integer, Uint8Array.of(2))),
    integer(serial),
    SIGNED_BY,
    name(wanted.issuer?.subject ?? wanted.subject),
    sequence(time(wanted.notBefore), time(wanted.notAfter)),
    name(wanted.subject),
    spki,
    der(
      0xa3,
      sequence(...await extensions(wanted, spki, signer.publicKey)),
    ),
  );
  const how = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(how, signer.privateKey, signed.slice()));
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  const whole = sequence(signed, SIGNED_BY, der(Tag.BitString, Uint8Array.of(0), signature));
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate: pem("CERTIFICATE", whole),
    key: pem("PRIVATE KEY", key),
    subject: wanted.subject,
    keys,
  };
}

/** Text that PEM makes of bytes (RFC 7468). */
export function pem(what: string, bytes: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...bytes)).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${what}-----\n${lines}\n-----END ${what}-----\n`;
}

/** A distinguished name that is a common name alone. */
function name(commonName: string): Uint8Array {
  const pair = sequence(identifier(COMMON_NAME), derText(Tag.Utf8String, commonName));
  return sequence(der(Tag.Set, pair));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
function time(at: number): Uint8Array {
  const text = new Date(at).toISOString().replaceAll(/[-:T]|\..*/g, "") + "Z";
  return text < "2050" ? derText(Tag.UtcTime, text.slice(2)) : derText(Tag.GeneralizedTime, text);
}

async function extensions(
  { purpose, names = [], issuer }: Wanted,
  spki: Uint8Array,
  signer: CryptoKey,
): Promise<Uint8Array[]> {
  const isAuthority = purpose === "authority";
  // digitalSignature, or keyCertSign and cRLSign (RFC 5280 §4.2.1.3): the bits from the first on, unused ones counted.
  const usage = isAuthority ? Uint8Array.of(1, 0x06) : Uint8Array.of(7, 0x80);
  const signerSpki = issuer === undefined
    ? spki
    : new Uint8Array(await crypto.subtle.exportKey("spki", signer));
  const all = [
    extension("2.5.29.19", sequence(...isAuthority ? [YES] : []), true),
    extension("2.5.29.15", der(Tag.BitString, usage), true),
    extension("2.5.29.14", octets(await keyId(spki))),
    extension("2.5.29.35", sequence(der(0x80, await keyId(signerSpki)))),
  ];
  if (!isAuthority) {
    all.push(extension("2.5.29.37", sequence(identifier(EXTENDED_USAGE[purpose]))));
  }
  if (names.length > 0) all.push(extension("2.5.29.17", sequence(...names.map(alternative))));
  return all;
}

function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(identifier(oid), ...critical ? [YES] : [], octets(value));
}

/** Which key it is: 160 bits of a hash of it (RFC 7093 §2, method 4). */
async function keyId(spki: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", spki.slice())).subarray(0, 20);
}

/** dNSName or iPAddress (RFC 5280 §4.2.1.6). */
function alternative(host: string): Uint8Array {
  const version = isIP(host);
  return version === 0 ? derText(0x82, host) : der(0x87, addressBytes(host, version));
}

function addressBytes(address: string, version: number): Uint8Array {
  if (version === 4) return Uint8Array.from(address.split(".").map(Number));
  const bare = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [front = "", back] = bare.split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((one) => parseInt(one, 16));
  const [head, tail] = [groups(front), groups(back ?? "")];
  const middle = new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0);
  return Uint8Array.from([...head, ...middle, ...tail].flatMap((one) => [one >> 8, one & 255]));
}
