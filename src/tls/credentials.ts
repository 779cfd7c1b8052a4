/*
 * Certificates, keys and trusted issuers from their files, and again when the files change.
 *
 * Owns what is in force: files that cannot be used leave what was in force before, and are told of once. Nobody has to tell
 * it that a file was replaced; it looks when it is asked, at most once a second.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { getLog } from "../log.ts";
import { nameOf, validity } from "./chain.ts";

const log = getLog("tls");

/** How often files are looked at, at most, in ms. */
const LOOK_MS = 1000;

/** Largest file that is read, bytes. */
const LARGEST = 4 * 1024 * 1024;

/** The files of one side of a TLS connection, absolute paths. */
export interface TlsFiles {
  readonly certificate: string | null;
  readonly key: string | null;
  readonly keyPassphrase: string | null;
  /** Whom this side trusts; empty or absent = the runtime's own (public) issuers. */
  readonly ca?: readonly string[];
}

/** A file of TLS that cannot be used; the message says which, and what is wanted. */
export class TlsError extends Error {
  override readonly name = "TlsError";
}

/** What a connection is secured with. */
export interface Credentials {
  /** PEM; undefined where this side has none. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** PEM; undefined = the public ones. */
  readonly ca: readonly string[] | undefined;
  /** The same, to be held against; empty where they are the public ones. */
  readonly trusted: readonly X509Certificate[];
  /** What expires. */
  readonly certificates: readonly CertificateFacts[];
}

/** A certificate in one of the files. */
export interface CertificateFacts {
  readonly subject: string;
  readonly file: string;
  readonly isIssuer: boolean;
  /** ms since 1970 */
  readonly from: number;
  readonly to: number;
}

/**
 * Reads the files.
 *
 * @throws {TlsError} where one cannot be read, is not PEM, or certificate and key do not belong together
 */
export function loadCredentials(files: TlsFiles): Credentials {
  const certificates: CertificateFacts[] = [];
  let certificate: string | undefined;
  let key: string | undefined;
  if (files.certificate !== null && files.key !== null) {
    certificate = readPem(files.certificate);
    const chain = certificatesIn(certificate, files.certificate);
    const privateKey = privateKeyOf(readPem(files.key), files.key, files.keyPassphrase);
    if (!belongs(chain[0]!, privateKey)) {
      throw new TlsError(
        `The key ${files.key} is not the one of the certificate ${files.certificate} ("${
          nameOf(chain[0]!)
        }"): wanted the key that belongs to it, and this certificate first in its file`,
      );
    }
    key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    certificates.push(...chain.map((one, n) => factsOf(one, files.certificate!, n > 0)));
  }
  const trusted: X509Certificate[] = [];
  const { ca: issuers = [] } = files;
  for (const file of issuers) {
    const found = certificatesIn(readPem(file), file);
    trusted.push(...found);
    certificates.push(...found.map((one) => factsOf(one, file, true)));
  }
  const ca = issuers.length === 0 ? undefined : trusted.map((one) => one.toString());
  return { certificate, key, ca, trusted, certificates };
}

/** Credentials that follow their files. */
export class LiveCredentials {
  readonly #files: TlsFiles;
  readonly #now: () => number;
  #current: Credentials;
  #state: string;
  #lookedAt: number;
  #trouble: string | null = null;

  /**
   * @param now ms of a clock that never goes back
   * @throws {TlsError} where the files cannot be used
   */
  constructor(files: TlsFiles, now: () => number = () => performance.now()) {
    this.#files = files;
    this.#now = now;
    // Before they are read: what changes meanwhile is seen as a change.
    this.#state = stateOf(files);
    this.#current = loadCredentials(files);
    this.#lookedAt = now();
  }

  /** Why the files as they are now are not in force; null where they are. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** What is in force. */
  get(): Credentials {
    const now = this.#now();
    if (now - this.#lookedAt < LOOK_MS) return this.#current;
    this.#lookedAt = now;
    const state = stateOf(this.#files);
    if (state === this.#state) return this.#current;
    this.#state = state;
    try {
      this.#current = loadCredentials(this.#files);
      this.#trouble = null;
      const own = this.#current.certificates[0];
      log.info("Certificates have been replaced: new connections use them", {
        file: own?.file,
        subject: own?.subject,
        until: own === undefined ? undefined : new Date(own.to).toISOString(),
      });
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      this.#trouble = error.message;
      log.error("CERTIFICATES REFUSED, those before stay in force: {reason}", {
        reason: error.message,
      });
    }
    return this.#current;
  }
}

/** Changes when one of the files does. */
function stateOf({ certificate, key, ca = [] }: TlsFiles): string {
  return [certificate, key, ...ca].map((file) => {
    if (file === null) return "";
    try {
      const { mtime, size, ino } = Deno.statSync(file);
      return `${mtime?.getTime()} ${size} ${ino}`;
    } catch (error) {
      return String(error);
    }
  }).join("\n");
}

function readPem(file: string): string {
  try {
    const { size } = Deno.statSync(file);
    if (size > LARGEST) {
      throw new TlsError(`${file} has ${size} bytes: wanted a file of certificates or a key (PEM)`);
    }
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof TlsError) throw error;
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "this user may not read it"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new TlsError(`Cannot read ${file}: ${why}`, { cause: error });
  }
}

function certificatesIn(text: string, file: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    throw new TlsError(
      `${file} has no certificate: wanted PEM, which begins with "-----BEGIN CERTIFICATE-----"`,
    );
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new TlsError(`A certificate in ${file} cannot be read: wanted X.509 in PEM`, {
      cause: error,
    });
  }
}

function privateKeyOf(text: string, file: string, passphrase: string | null) {
  const isEncrypted = text.includes("ENCRYPTED");
  if (isEncrypted && passphrase === null) {
    throw new TlsError(`The key ${file} is encrypted: wanted its key_passphrase, too`);
  }
  try {
    return createPrivateKey(
      isEncrypted && passphrase !== null ? { key: text, passphrase } : { key: text },
    );
  } catch (error) {
    const hint = isEncrypted ? ", and its right passphrase" : "";
    throw new TlsError(`The key ${file} cannot be read: wanted a private key in PEM${hint}`, {
      cause: error,
    });
  }
}

function belongs(
  certificate: X509Certificate,
  key: ReturnType<typeof createPrivateKey>,
): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

function factsOf(certificate: X509Certificate, file: string, isIssuer: boolean): CertificateFacts {
  return { subject: nameOf(certificate), file, isIssuer, ...validity(certificate) };
}
