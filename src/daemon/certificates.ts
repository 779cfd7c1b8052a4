/*
 * The certificates a configuration works with, and when each expires: for alarms.
 */

import type { Certificate } from "../alarms/snapshot.ts";
import { type AuditConfig, auditTlsFiles } from "../config/audit.ts";
import type { Config } from "../config/load.ts";
import { type CertificateFacts, LiveCredentials, TlsError } from "../tls/credentials.ts";
import { credentialsOf } from "../ul/connect.ts";

/**
 * All of them, each once.
 *
 * @param own of our own ports, by whose they are; undefined where there is none
 */
export function certificatesInUse(
  { destinations, audit }: Config,
  own: Readonly<Record<string, LiveCredentials | undefined>>,
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
  for (const [whose, credentials] of Object.entries(own)) {
    if (credentials !== undefined) add(whose, credentials.get().certificates);
  }
  const tryToAdd = (whose: string, load: () => readonly CertificateFacts[]) => {
    try {
      add(whose, load());
    } catch (error) {
      // Each attempt to connect tells of it.
      if (!(error instanceof TlsError)) throw error;
    }
  };
  for (const destination of destinations) {
    if (destination.type !== "dicom" || !destination.tls) continue;
    const { name, tls } = destination;
    tryToAdd(`for ${name}`, () => credentialsOf(tls).get().certificates);
  }
  if (audit !== null) tryToAdd("for the audit server", () => factsOf(audit));
  return found;
}

/** Read once for each audit trail's settings, and again when the files change. */
const ofAudit = new WeakMap<AuditConfig, LiveCredentials>();

function factsOf(audit: AuditConfig): readonly CertificateFacts[] {
  const files = auditTlsFiles(audit);
  if (files === undefined) return [];
  let live = ofAudit.get(audit);
  if (live === undefined) ofAudit.set(audit, live = new LiveCredentials(files));
  return live.get().certificates;
}
