/*
 * Certificates for servers of a test: of an issuer that nobody trusts unless it is told to.
 */

import { join } from "node:path";
import { runWell } from "./child.ts";

/** Files of a certificate and its key, PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/**
 * A certificate that is its own issuer.
 *
 * @param name `DNS:localhost,IP:127.0.0.1`: what it is for
 */
export async function selfSigned(folder: string, name: string): Promise<CertificateFiles> {
  const files = { certificate: join(folder, "server.pem"), key: join(folder, "server.key") };
  await runWell("/usr/bin/openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
    "-subj",
    "/CN=test",
    "-addext",
    `subjectAltName=${name}`,
    "-keyout",
    files.key,
    "-out",
    files.certificate,
  ]);
  return files;
}
