/*
 * Certificates for tests: of an issuer that nobody trusts unless it is told to, good ones and bad ones.
 */

import { join } from "node:path";
import { type Made, makeCertificate, type Purpose } from "../../src/tls/make_certificate.ts";

/** Files of a certificate, its key and its issuer, PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly issuer: string;
}

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** How a certificate is wrong. */
export type Flaw =
  | "expired"
  | "not yet valid"
  | "other issuer"
  | "wrong usage"
  | "self-signed"
  | "wrong name";

/** An authority of tests. */
export class Authority {
  readonly made: Made;

  private constructor(made: Made) {
    this.made = made;
  }

  static async make(subject = "issuer"): Promise<Authority> {
    const now = Date.now();
    return new Authority(
      await makeCertificate({
        subject,
        purpose: "authority",
        notBefore: now - HOUR,
        notAfter: now + DAY,
      }),
    );
  }

  /** A certificate that is right, or wrong in one way. */
  async issue(
    purpose: Exclude<Purpose, "authority">,
    names: readonly string[],
    flaw?: Flaw,
  ): Promise<Made> {
    const now = Date.now();
    const turned = purpose === "server" ? "client" : "server";
    const issuer = flaw === "self-signed"
      ? undefined
      : flaw === "other issuer"
      ? (await Authority.make()).made
      : this.made;
    return await makeCertificate({
      subject: purpose,
      purpose: flaw === "wrong usage" ? turned : purpose,
      names: flaw === "wrong name" ? ["elsewhere.example"] : names,
      notBefore: flaw === "not yet valid" ? now + HOUR : now - 2 * DAY,
      notAfter: flaw === "expired" ? now - HOUR : now + 2 * DAY,
      ...issuer === undefined ? {} : { issuer },
    });
  }
}

/** Writes a certificate and its key: `NAME.pem` and `NAME.key`. */
export function writeMade(
  folder: string,
  name: string,
  made: Made,
): { readonly certificate: string; readonly key: string } {
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  Deno.writeTextFileSync(files.certificate, made.certificate);
  Deno.writeTextFileSync(files.key, made.key, { mode: 0o600 });
  return files;
}

/**
 * A certificate by an issuer of its own, good for a day.
 *
 * @param dnsName whom it is for
 */
export async function certificateFor(folder: string, dnsName: string): Promise<CertificateFiles> {
  const authority = await Authority.make();
  const issuer = writeMade(folder, "ca", authority.made).certificate;
  return { ...writeMade(folder, "server", await authority.issue("server", [dnsName])), issuer };
}
