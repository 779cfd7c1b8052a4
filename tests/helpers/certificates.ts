/*
 * Certificates for servers of a test: of an issuer that nobody trusts unless it is told to.
 *
 * Written in DER by hand (X.509, RFC 5280 §4.1), signed with ECDSA on P-256: no program is needed to make them.
 */

import { join } from "node:path";

/** Files of a certificate, its key and its issuer, PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly issuer: string;
}

/** An object of DER: tag, length, content. */
function der(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 128
    ? [tag, length]
    : length < 256
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 255];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const text = (tag: number, value: string) => der(tag, new TextEncoder().encode(value));
const identifier = (...bytes: number[]) => der(0x06, Uint8Array.from(bytes));
const octets = (...parts: Uint8Array[]) => der(0x04, ...parts);

/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const SIGNED_BY = sequence(identifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

function integer(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const value = bytes.subarray(from);
  return value[0]! >= 0x80 ? der(0x02, Uint8Array.of(0), value) : der(0x02, value);
}

/** A name that is a common name alone. */
function named(name: string): Uint8Array {
  return sequence(der(0x31, sequence(identifier(0x55, 0x04, 0x03), text(0x0c, name))));
}

/** UTCTime */
function utcTime(at: number): Uint8Array {
  return text(0x17, new Date(at).toISOString().replaceAll(/[-:T]|\..*/g, "").slice(2) + "Z");
}

/** Extensions: basic constraints (2.5.29.19, critical), and whom it is for (2.5.29.17). */
function extensions(isIssuer: boolean, dnsName: string): Uint8Array {
  const yes = der(0x01, Uint8Array.of(0xff));
  const constraints = sequence(
    identifier(0x55, 0x1d, 0x13),
    yes,
    octets(sequence(...isIssuer ? [yes] : [])),
  );
  const names = sequence(identifier(0x55, 0x1d, 0x11), octets(sequence(text(0x82, dnsName))));
  return der(0xa3, sequence(constraints, ...isIssuer ? [] : [names]));
}

async function keyPair(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
}

async function certificate(
  subject: string,
  key: CryptoKey,
  signer: CryptoKey,
  dnsName: string,
): Promise<Uint8Array> {
  const now = Date.now();
  const isIssuer = subject === "issuer";
  const signed = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    integer(crypto.getRandomValues(new Uint8Array(8))),
    SIGNED_BY,
    named("issuer"),
    sequence(utcTime(now - 3_600_000), utcTime(now + 86_400_000)),
    named(subject),
    new Uint8Array(await crypto.subtle.exportKey("spki", key)),
    extensions(isIssuer, dnsName),
  );
  const how = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(how, signer, signed.slice()));
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  return sequence(signed, SIGNED_BY, der(0x03, Uint8Array.of(0), signature));
}

function pem(what: string, bytes: Uint8Array): string {
  const lines = btoa(String.fromCharCode(...bytes)).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${what}-----\n${lines}\n-----END ${what}-----\n`;
}

/**
 * A certificate by an issuer of its own, good for a day.
 *
 * @param dnsName whom it is for
 */
export async function certificateFor(folder: string, dnsName: string): Promise<CertificateFiles> {
  const [issuer, server] = [await keyPair(), await keyPair()];
  const files = {
    certificate: join(folder, "server.pem"),
    key: join(folder, "server.key"),
    issuer: join(folder, "ca.pem"),
  };
  const made = await certificate("server", server.publicKey, issuer.privateKey, dnsName);
  const root = await certificate("issuer", issuer.publicKey, issuer.privateKey, dnsName);
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", server.privateKey));
  Deno.writeTextFileSync(files.certificate, pem("CERTIFICATE", made));
  Deno.writeTextFileSync(files.issuer, pem("CERTIFICATE", root));
  Deno.writeTextFileSync(files.key, pem("PRIVATE KEY", key));
  return files;
}
