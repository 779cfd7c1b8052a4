/*
 * The settings of the audit trail as the program works with them. Pure.
 */

import { resolve } from "node:path";
import type { ConfigFile } from "./schema.ts";
import { bytesOf } from "./schema_values.ts";

/** The files of its TLS. */
export interface AuditTlsFiles {
  readonly certificate: string | null;
  readonly key: string | null;
  readonly keyPassphrase: null;
  readonly ca: readonly string[];
}

/** The files a trail over TLS works with; undefined where it goes without, or needs none of ours. */
export function auditTlsFiles(audit: AuditConfig | null): AuditTlsFiles | undefined {
  if (audit?.protocol !== "tls") return undefined;
  const { certificate, caFile } = audit;
  if (certificate === null && caFile === null) return undefined;
  return {
    certificate: certificate?.certificateFile ?? null,
    key: certificate?.keyFile ?? null,
    keyPassphrase: null,
    ca: caFile === null ? [] : [caFile],
  };
}

export type AuditProtocol = "udp" | "tcp" | "tls";

/** Where audit messages go (PS3.15 A.6, A.7). */
export interface AuditConfig {
  readonly host: string;
  readonly port: number;
  readonly protocol: AuditProtocol;
  /** Absolute path of the issuer of the server's certificate; null where the usual ones are trusted. */
  readonly caFile: string | null;
  /** Absolute paths of our own certificate and its key, PEM; null where the server asks for none. */
  readonly certificate: { readonly certificateFile: string; readonly keyFile: string } | null;
  /** AuditSourceID; null = our AE title. */
  readonly site: string | null;
  /** AuditEnterpriseSiteID; null = none. */
  readonly enterpriseSiteId: string | null;
  /** Whether messages name the patient; the patient ID is in them in any case. */
  readonly patientData: boolean;
  /** Bytes of messages that wait for the server, at most. */
  readonly keepBytes: number;
}

/** RFC 5426 §3.3, RFC 6587 §5.1 (syslog-conn, RFC 3195), RFC 5425 §4.1. */
export const SYSLOG_PORTS = { udp: 514, tcp: 601, tls: 6514 } as const;

/**
 * The settings of the audit trail out of a file that the schema has accepted; null where there is to be none.
 *
 * @param folder absolute folder that relative paths start from
 */
export function auditFrom({ audit: raw }: ConfigFile, folder: string): AuditConfig | null {
  if (raw === undefined) return null;
  const { certificate_file: certificateFile, key_file: keyFile } = raw;
  return {
    host: raw.host,
    port: raw.port ?? SYSLOG_PORTS[raw.protocol],
    protocol: raw.protocol,
    caFile: raw.ca_file === undefined ? null : resolve(folder, raw.ca_file),
    certificate: certificateFile === undefined || keyFile === undefined ? null : {
      certificateFile: resolve(folder, certificateFile),
      keyFile: resolve(folder, keyFile),
    },
    site: raw.site ?? null,
    enterpriseSiteId: raw.enterprise_site_id ?? null,
    patientData: raw.patient_data,
    keepBytes: bytesOf(raw.keep),
  };
}
