/*
 * The certificates a configuration works with, and when each expires: for alarms.
 */

import type { Certificate } from "../alarms/snapshot.ts";
import type { Config } from "../config/load.ts";
import { type CertificateFacts, type LiveCredentials, TlsError } from "../tls/credentials.ts";
import { credentialsOf } from "../ul/connect.ts";

/**
 * All of them, each once.
 *
 * @param own of the TLS port; undefined where there is none
 */
export function certificatesInUse(
  { destinations }: Config,
  own: LiveCredentials | undefined,
): Certificate[] {
  const found: Certificate[] = [];
  const add = (whose: string, facts: readonly CertificateFacts[]) => {
    for (const { subject, isIssuer, to } of facts) {
      const name = isIssuer ? `of the issuer ${subject} (${whose})` : `${subject} (${whose})`;
      if (found.every((one) => one.name !== name || one.expires !== to)) {
        found.push({ name, expires: to });
      }
    }
  };
  if (own !== undefined) add("of the TLS port", own.get().certificates);
  for (const destination of destinations) {
    if (destination.type !== "dicom" || !destination.tls) continue;
    try {
      add(`for ${destination.name}`, credentialsOf(destination.tls).get().certificates);
    } catch (error) {
      // Each attempt at the destination tells of it.
      if (!(error instanceof TlsError)) throw error;
    }
  }
  return found;
}
