/*
 * The certificates of the configuration: whether they can be used, and until when. Reads their files and nothing else.
 */

import { auditTlsFiles } from "../config/audit.ts";
import { isOwnHost } from "../config/check.ts";
import type { Config } from "../config/load.ts";
import {
  type CertificateFacts,
  loadCredentials,
  TlsError,
  type TlsFiles,
} from "../tls/credentials.ts";
import { type Finding, ok, problem, Rank, warning } from "./finding.ts";

const DAY_MS = 86_400_000;

/** Days before the end at which it is told first. */
const SOON_DAYS = 30;

/** What is found of all of them; nothing where there is no TLS. */
export function lookAtCertificates(config: Config, now: number): Finding[] {
  const { tls, web } = config;
  const audit = auditTlsFiles(config.audit);
  return [
    ...tls === null ? [] : lookAt("tls", tls, now, Rank.Receiving),
    ...tls?.clientCertificate === "none"
      ? [
        warning(
          "certificates",
          "whoever reaches the TLS port may send: tls.client_certificate is none",
        ),
      ]
      : [],
    ...web.enabled ? lookAtPage(web, now) : [],
    ...audit === undefined ? [] : lookAt("tls of audit", audit, now, Rank.Associating),
    ...config.destinations.flatMap((one) =>
      one.type === "dicom" && one.tls
        ? lookAt(`tls of ${one.name}`, one.tls, now, Rank.Associating)
        : []
    ),
    ...config.destinations.flatMap((one) =>
      one.type === "dicom" && one.tls?.verifyName === false
        ? [
          warning(
            "certificates",
            `${one.name}: any name is taken in its certificate (verify_name is false)`,
          ),
        ]
        : []
    ),
  ];
}

function lookAtPage({ host, tls }: Config["web"], now: number): Finding[] {
  if (tls !== null) return lookAt("web.tls", tls, now, Rank.Receiving);
  return isOwnHost(host) ? [] : [
    warning("certificates", `the status page is served on ${host} without TLS: web.tls is not set`),
  ];
}

function lookAt(setting: string, files: TlsFiles, now: number, rank: number): Finding[] {
  let found: readonly CertificateFacts[];
  try {
    found = loadCredentials(files).certificates;
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    return [problem("certificates", `${setting}: ${error.message}`, {
      text: `Put the right file in its place, or correct ${setting}.`,
      rank,
    })];
  }
  const bad = found.flatMap((one) => judgeCertificate(setting, one, now, rank));
  if (bad.length > 0 || found.length === 0) return bad;
  const first = Math.min(...found.map(({ to }) => to));
  const until = new Date(first).toISOString().slice(0, 10);
  return [ok("certificates", `${setting}: certificates are good until ${until}`)];
}

/** What is wrong about the time of one certificate. */
export function judgeCertificate(
  setting: string,
  { subject, file, from, to }: CertificateFacts,
  now: number,
  rank: number,
): Finding[] {
  const which = `${setting}: the certificate "${subject}" in ${file}`;
  const day = (at: number) => new Date(at).toISOString().slice(0, 10);
  const renew = { text: `Have ${file} renewed: a new file in its place is used at once.`, rank };
  if (now > to) return [problem("certificates", `${which} has expired on ${day(to)}`, renew)];
  if (now < from) {
    const change = { text: "Look at this machine's clock, or wait until then.", rank };
    return [problem("certificates", `${which} is not valid before ${day(from)}`, change)];
  }
  const days = Math.floor((to - now) / DAY_MS);
  if (days >= SOON_DAYS) return [];
  return [warning("certificates", `${which} expires in ${days} days, on ${day(to)}`, renew)];
}
