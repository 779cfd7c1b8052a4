/*
 * Certificates for servers of a test: of an issuer that nobody trusts unless it is told to.
 */

import { join } from "node:path";
import { runWell } from "./child.ts";

/** Files of a certificate, its key and its issuer, PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly issuer: string;
}

const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(" ");

/**
 * A certificate by an issuer of its own, good for two days.
 *
 * @param name `DNS:localhost,IP:127.0.0.1`: what it is for
 */
export async function certificateFor(folder: string, name: string): Promise<CertificateFiles> {
  const at = (file: string) => join(folder, file);
  const openssl = (...args: string[]) => runWell("/usr/bin/openssl", args);
  const [issuer, issuerKey, key, request] = [at("ca.pem"), at("ca.key"), at("s.key"), at("s.csr")];
  const certificate = at("s.pem");
  const extensions = at("extensions");
  Deno.writeTextFileSync(extensions, `subjectAltName=${name}\nbasicConstraints=CA:FALSE\n`);
  const subject = (text: string) => ["-subj", `/CN=${text}`];
  await openssl(
    ..."req -x509 -days 2".split(" "),
    ...NEW_KEY,
    ...subject("issuer"),
    ...["-keyout", issuerKey, "-out", issuer],
  );
  await openssl("req", ...NEW_KEY, ...subject("server"), "-keyout", key, "-out", request);
  await openssl(
    ..."x509 -req -days 2 -CAcreateserial".split(" "),
    ...["-in", request, "-CA", issuer, "-CAkey", issuerKey],
    ...["-extfile", extensions, "-out", certificate],
  );
  return { certificate, key, issuer };
}
