/*
 * The settings of TLS: what a file may say, and what the program works with.
 *
 * Owns their shape, their defaults and what several of them together must fulfil. Reads no file: whether certificates can be
 * used is found out by who uses them.
 */

import { resolve } from "node:path";

/** The oldest version that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** TLS towards a destination. */
export interface ClientTlsConfig {
  /** Issuers of its certificate, absolute paths; empty = public issuers. */
  readonly ca: readonly string[];
  /** What we show, absolute paths; both or none. */
  readonly certificate: string | null;
  readonly key: string | null;
  readonly keyPassphrase: string | null;
  /** Null = its host. */
  readonly serverName: string | null;
  readonly verifyName: boolean;
  readonly minVersion: TlsVersion;
}

/** TLS for those who send to us. */
export interface ServerTlsConfig {
  readonly host: string;
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly keyPassphrase: string | null;
  /** Issuers of clients' certificates, absolute paths. */
  readonly ca: readonly string[];
  readonly clientCertificate: "required" | "optional" | "none";
  readonly minVersion: TlsVersion;
  /** Whether nothing is received without TLS. */
  readonly only: boolean;
}

/** TLS for the status page. */
export interface WebTlsConfig {
  /** Absolute paths. */
  readonly certificate: string;
  readonly key: string;
  readonly keyPassphrase: string | null;
  readonly minVersion: TlsVersion;
}

interface RawClient {
  readonly ca?: string | readonly string[] | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly key_passphrase?: string | undefined;
  readonly server_name?: string | undefined;
  readonly verify_name: boolean;
  readonly min_version: TlsVersion;
}

interface RawOwn {
  readonly certificate: string;
  readonly key: string;
  readonly key_passphrase?: string | undefined;
  readonly min_version: TlsVersion;
}

interface RawServer extends RawOwn {
  readonly host?: string | undefined;
  readonly port: number;
  readonly ca?: string | readonly string[] | undefined;
  readonly client_certificate: "required" | "optional" | "none";
  readonly only: boolean;
}

/** A destination's TLS, resolved. */
export function clientTlsFrom(
  raw: boolean | RawClient | undefined,
  folder: string,
): ClientTlsConfig | null {
  if (raw === undefined || raw === false) return null;
  const given: RawClient = raw === true ? { verify_name: true, min_version: "1.2" } : raw;
  return {
    ca: files(given.ca, folder),
    certificate: given.certificate === undefined ? null : resolve(folder, given.certificate),
    key: given.key === undefined ? null : resolve(folder, given.key),
    keyPassphrase: given.key_passphrase ?? null,
    serverName: given.server_name ?? null,
    verifyName: given.verify_name,
    minVersion: given.min_version,
  };
}

/** The listener's TLS, resolved. */
export function serverTlsFrom(
  raw: RawServer | null | undefined,
  localHost: string,
  folder: string,
): ServerTlsConfig | null {
  if (raw === undefined || raw === null) return null;
  return {
    ...ownFrom(raw, folder),
    host: raw.host ?? localHost,
    port: raw.port,
    ca: files(raw.ca, folder),
    clientCertificate: raw.client_certificate,
    only: raw.only,
  };
}

/** The status page's TLS, resolved. */
export function webTlsFrom(raw: RawOwn | undefined, folder: string): WebTlsConfig | null {
  return raw === undefined ? null : ownFrom(raw, folder);
}

function ownFrom(raw: RawOwn, folder: string): WebTlsConfig {
  return {
    certificate: resolve(folder, raw.certificate),
    key: resolve(folder, raw.key),
    keyPassphrase: raw.key_passphrase ?? null,
    minVersion: raw.min_version,
  };
}

function files(ca: string | readonly string[] | undefined, folder: string): string[] {
  return (typeof ca === "string" ? [ca] : ca ?? []).map((one) => resolve(folder, one));
}

type Settings = Readonly<Record<string, unknown>>;

interface Fault {
  readonly path: string;
  readonly value: unknown;
  readonly wanted: string;
}

/**
 * What of TLS does not go together.
 *
 * @param ports that are in use for something else, by the setting's name
 */
export function tlsFaults(
  tls: unknown,
  destinations: readonly unknown[],
  ports: Readonly<Record<string, unknown>>,
): Fault[] {
  const faults: Fault[] = [];
  if (isSettings(tls)) {
    if (tls.ca === undefined && tls.client_certificate !== "none") {
      const wanted =
        'the file with the issuers of clients\' certificates, or client_certificate "none"';
      faults.push({ path: "tls.ca", value: undefined, wanted });
    }
    if (tls.ca !== undefined && tls.client_certificate === "none") {
      const wanted = '"required" or "optional": tls.ca is of no use where none is asked for';
      faults.push({ path: "tls.client_certificate", value: "none", wanted });
    }
    const port = tls.port ?? 2762;
    for (const [name, other] of Object.entries(ports)) {
      if (port !== other || port === 0) continue;
      faults.push({
        path: "tls.port",
        value: tls.port,
        wanted: `another port: ${name} is this one`,
      });
    }
  }
  for (const [index, destination] of destinations.entries()) {
    const own = isSettings(destination) ? destination.tls : undefined;
    if (!isSettings(own)) continue;
    const path = `destinations[${index}].tls`;
    for (const [given, needed] of [["certificate", "key"], ["key", "certificate"]] as const) {
      if (own[given] === undefined || own[needed] !== undefined) continue;
      const wanted = `a file: ${given} is of no use without it`;
      faults.push({ path: `${path}.${needed}`, value: undefined, wanted });
    }
    if (own.verify_name === false && own.server_name !== undefined) {
      const wanted = "true, or no server_name: the name is not looked at";
      faults.push({ path: `${path}.verify_name`, value: false, wanted });
    }
  }
  return faults;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
