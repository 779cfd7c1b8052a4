/*
 * Whether our own TLS port lets in who must not be: asked of it before it serves anybody.
 *
 * Owns the two strangers that try: one without a certificate, one with a certificate that it has made itself, each with TLS
 * 1.2 and 1.3. The port is right where no byte of theirs comes up to the layer that speaks DICOM.
 */

import { X509Certificate } from "node:crypto";
import type { ServerTlsConfig } from "../config/tls.ts";
import type { Listener } from "../ul/tls_listener.ts";
import { type Credentials, TlsError } from "../tls/credentials.ts";
import { makeCertificate } from "../tls/make_certificate.ts";
import { SecureConnection } from "../ul/secure.ts";

/** How long one of them may try, in ms. */
const TRY_MS = 5000;

/** What is known by then that the server is not asked for. */
const NAME = "self-test";

/**
 * Tries.
 *
 * @param listener that nobody serves yet
 * @param address to reach it by
 * @throws {TlsError} where a stranger comes through: nothing may be served then
 */
export async function testOwnPort(
  listener: Listener,
  address: { readonly hostname: string; readonly port: number },
  { clientCertificate, minVersion }: ServerTlsConfig,
): Promise<void> {
  if (clientCertificate === "none") return;
  const now = Date.now();
  const own = await makeCertificate({
    subject: NAME,
    purpose: "client",
    notBefore: now - 3_600_000,
    notAfter: now + 3_600_000,
  });
  const strangers: readonly (readonly [string, string | undefined])[] = [
    ...clientCertificate === "required" ? [["without a certificate", undefined] as const] : [],
    ["with a certificate that it has made itself", own.certificate],
  ];
  for (const [how, certificate] of strangers) {
    for (const version of ["1.2", "1.3"] as const) {
      if (version < minVersion) continue;
      const credentials: Credentials = {
        certificate,
        key: certificate === undefined ? undefined : own.key,
        ca: undefined,
        trusted: [new X509Certificate(own.certificate)],
        certificates: [],
      };
      if (!await comesThrough(listener, address, credentials, version)) continue;
      throw new TlsError(
        `The TLS port lets in a stranger ${how} (TLS ${version}), and tls.client_certificate is "${clientCertificate}". Nothing is received this way: please report it`,
      );
    }
  }
}

/** True where a byte of the stranger comes up. */
async function comesThrough(
  listener: Listener,
  address: { readonly hostname: string; readonly port: number },
  credentials: Credentials,
  version: "1.2" | "1.3",
): Promise<boolean> {
  const tcp = await Deno.connect(address);
  const { port } = tcp.localAddr;
  const stranger = new SecureConnection(
    tcp,
    {
      role: "client",
      serverName: NAME,
      verifyName: false,
      minVersion: version,
      maxVersion: version,
      trustsAnybody: true,
    },
    credentials,
    TRY_MS,
  );
  const over = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => over.resolve(false), TRY_MS);
  /** An A-ABORT (PS3.8 §9.3.8): what a node that is let in may say. */
  const talk = async () => {
    await stranger.write(Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0));
    await stranger.read(new Uint8Array(1));
  };
  void talk().catch(() => {}).finally(() => over.resolve(false));
  const look = async () => {
    for (;;) {
      const accepted = await listener.accept();
      const isTheirs = accepted.remoteAddr.port === port;
      const got = isTheirs ? await accepted.read(new Uint8Array(1)).catch(() => null) : null;
      accepted.close();
      if (got !== null) return over.resolve(true);
    }
  };
  look().catch(() => {});
  try {
    return await over.promise;
  } finally {
    clearTimeout(timer);
    stranger.close();
  }
}
