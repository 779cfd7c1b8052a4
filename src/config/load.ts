/*
 * From a configuration file to the settings the program works with, or to every fault in it at once.
 *
 * Owns the resolved form: camelCase, absolute paths, milliseconds, bytes, `pacs_*` and `store_locally` expanded into
 * destinations. Reads one file and nothing else; creates no folder and opens no connection. Its only failure is
 * ConfigError, whose message is meant for the person who wrote the file.
 */

import { dirname, resolve } from "node:path";
import type { z } from "zod";
import {
  accessFrom,
  type ConnectionRateConfig,
  type OurIdentityConfig,
  type SenderConfig,
  type UserIdentityConfig,
} from "./access.ts";
import { type AlarmsConfig, alarmsFrom } from "./alarms.ts";
import { type AuditConfig, auditFrom } from "./audit.ts";
import { type ConfigFault, crossFaults, isSettings, nearest } from "./check.ts";
import { findJsonFault } from "./json_fault.ts";
import {
  type ClientTlsConfig,
  clientTlsFrom,
  type ServerTlsConfig,
  serverTlsFrom,
  type WebTlsConfig,
  webTlsFrom,
} from "./tls.ts";
import { type ConfigFile, configSchema, type LogLevel } from "./schema.ts";
import { bytesOf } from "./schema_values.ts";
import { readableSecrets } from "./secrets.ts";

/** A DICOM node to send to. */
export interface DicomDestinationConfig {
  readonly type: "dicom";
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Null or absent = plain. */
  readonly tls?: ClientTlsConfig | null;
  readonly aeTitle: string;
  /** "*" = the calling AE title of whoever sent the instance. */
  readonly callingAeTitle: string;
  readonly associations: number;
  readonly timeouts: {
    readonly connectMs: number;
    readonly associationMs: number;
    readonly responseMs: number;
    readonly releaseMs: number;
    readonly writeStallMs: number;
    readonly idleReleaseMs: number;
  };
  /** Bytes; 0 = no limit announced. */
  readonly maxPduLength: number;
  /** Null where we give none. */
  readonly userIdentity: OurIdentityConfig | null;
  readonly transcode: boolean;
  readonly retryAttempts: number;
}

/** A folder to write to. */
export interface DirectoryDestinationConfig {
  readonly type: "directory";
  readonly name: string;
  readonly path: string;
  readonly retryAttempts: number;
}

export type DestinationConfig = DicomDestinationConfig | DirectoryDestinationConfig;

/** A condition that is null is not asked for; of a list, one has to match. */
export interface RouteConfig {
  readonly callingAeTitles: readonly string[] | null;
  readonly calledAeTitles: readonly string[] | null;
  readonly modalities: readonly string[] | null;
  readonly sopClasses: readonly string[] | null;
  readonly destinations: readonly string[];
}

/** The status page and the API. */
export interface WebConfig {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
  /** Null only where nobody but this machine is to reach it. */
  readonly passwordHash: string | null;
  readonly allowedNames: readonly string[];
  readonly sessionHours: number;
  readonly metricsPublic: boolean;
  /** Null = without TLS. */
  readonly tls: WebTlsConfig | null;
}

/** All settings, resolved. */
export interface Config {
  /** Absolute path of the file; null where the settings did not come from one. */
  readonly file: string | null;
  readonly localAeTitle: string;
  readonly localHost: string;
  readonly localPort: number;
  readonly spoolDir: string;
  readonly logDir: string;
  /** "pacs" first, then `destinations` in their order, "archive" last. */
  readonly destinations: readonly DestinationConfig[];
  readonly routes: readonly RouteConfig[];
  /** Empty = any. */
  readonly allowedCallingAeTitles: readonly string[];
  /** IP addresses and CIDR ranges; empty = any. */
  readonly allowedHosts: readonly string[];
  readonly requireCalledAeTitle: boolean;
  /** Empty = anybody. */
  readonly senders: readonly SenderConfig[];
  readonly connectionRate: ConnectionRateConfig;
  readonly userIdentity: UserIdentityConfig;
  readonly maxAssociations: number;
  readonly maxAssociationsPerHost: number;
  /** Bytes; 0 = no limit announced. */
  readonly maxPduLength: number;
  /** Bytes. */
  readonly maxInstanceSize: number;
  readonly timeouts: {
    readonly associationRequestMs: number;
    readonly idleMs: number;
    readonly readMs: number;
    readonly writeStallMs: number;
    readonly stopMs: number;
  };
  /** Bytes. */
  readonly minimumFreeSpace: number;
  /** Whether a spool on FAT or a network folder is used all the same. */
  readonly allowUnsafeSpoolVolume: boolean;
  readonly forwardImmediately: boolean;
  readonly studyQuietMs: number;
  readonly logLevel: LogLevel;
  readonly logRetentionDays: number;
  readonly ledgerRetentionDays: number;
  readonly logPatientInfo: boolean;
  readonly web: WebConfig;
  /** Whether a changed file is applied by itself. */
  readonly watchConfig: boolean;
  readonly alarms: AlarmsConfig;
  /** Null = nothing is received with TLS. */
  readonly tls: ServerTlsConfig | null;
  /** Null where there is to be no audit trail. */
  readonly audit: AuditConfig | null;
}

/** The configuration cannot be used. The message tells every fault, a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Empty where the file as a whole is at fault: it is missing, or it is not JSON. */
  readonly faults: readonly ConfigFault[];

  constructor(message: string, faults: readonly ConfigFault[] = [], cause?: unknown) {
    super(message, { cause });
    this.faults = faults;
  }
}

/**
 * Reads a configuration file.
 *
 * @param file path of the file, relative to the working directory or absolute
 * @param options `secretsMayShow` for who mends that, or only asks where things are
 * @throws ConfigError where it cannot be read, is not JSON, a setting is wrong, or it holds secrets that everybody can read
 */
export async function loadConfig(
  file: string,
  options: { readonly secretsMayShow?: boolean } = {},
): Promise<Config> {
  const path = resolve(file);
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new ConfigError(unreadable(path, error), [], error);
  }
  try {
    // TextDecoder takes the byte order mark away that Windows' Notepad may write.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const config = parseConfig(text, path);
    if (options.secretsMayShow === true) return config;
    const readable = await readableSecrets(JSON.parse(text), path);
    if (readable.length > 0) throw new ConfigError(plain(readable.join(" ")));
    return config;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const encoding = bytes[0] === 0xff || bytes[0] === 0xfe ? " (it looks like UTF-16)" : "";
    const wanted = `save it with the encoding UTF-8`;
    throw new ConfigError(`${path} is not UTF-8 text${encoding}: ${wanted}.`, [], error);
  }
}

/**
 * Reads the text of a configuration file.
 *
 * @param text JSON, with or without a byte order mark
 * @param file path of the file it came from; relative paths in it start from its folder
 * @throws ConfigError where it is not JSON, or a setting is wrong
 */
export function parseConfig(text: string, file: string): Config {
  const path = resolve(file);
  const json = text.replace(/^\ufeff/, "");
  if (json.trim() === "") throw new ConfigError(`${path} is empty: wanted the settings in { }.`);
  const fault = findJsonFault(json);
  if (fault !== null) {
    const { line, column, wanted } = fault;
    throw new ConfigError(`${path}, line ${line}, column ${column}: not JSON: wanted ${wanted}.`);
  }
  return configFrom(JSON.parse(json), dirname(path), path);
}

/**
 * Checks and resolves settings that are in memory already.
 *
 * @param content the settings as a configuration file has them
 * @param folder absolute folder that relative paths start from
 * @param file absolute path of the file they came from, if any
 * @throws ConfigError where a setting is wrong
 */
export function configFrom(content: unknown, folder: string, file: string | null = null): Config {
  const checked = configSchema.safeParse(withoutReserved(content));
  const faults = [
    ...(checked.success
      ? []
      : checked.error.issues.flatMap((issue) => issueFaults(issue, content))),
    ...(isSettings(content) ? crossFaults(content, folder) : []),
  ];
  if (!checked.success || faults.length > 0) {
    const told = faults.filter((fault, index) => index === faults.findIndex(sameAs(fault)));
    throw new ConfigError(listFaults(told, file), told);
  }
  return resolved(checked.data, folder, file);
}

/** Earlier versions let `web` be null, for left out, and nothing else. */
function withoutReserved(content: unknown): unknown {
  if (!isSettings(content) || content.web !== null) return content;
  const { web: _none, ...rest } = content;
  return rest;
}

function resolved(raw: ConfigFile, folder: string, file: string | null): Config {
  return {
    file,
    localAeTitle: raw.local_ae_title.trim(),
    localHost: raw.local_host,
    localPort: raw.local_port,
    spoolDir: resolve(folder, raw.spool_dir),
    logDir: resolve(folder, raw.log_dir),
    destinations: allDestinations(raw, folder),
    routes: raw.routes.map((route) => ({
      callingAeTitles: route.calling_ae_titles?.map(trimmed) ?? null,
      calledAeTitles: route.called_ae_titles?.map(trimmed) ?? null,
      modalities: route.modalities?.map(trimmed) ?? null,
      sopClasses: route.sop_classes ?? null,
      destinations: [...new Set(route.destinations)],
    })),
    allowedCallingAeTitles: raw.allowed_calling_ae_titles.map(trimmed),
    allowedHosts: raw.allowed_hosts,
    requireCalledAeTitle: raw.require_called_ae_title,
    ...accessFrom(raw),
    maxAssociations: raw.max_associations,
    maxAssociationsPerHost: raw.max_associations_per_host,
    maxPduLength: raw.max_pdu_length,
    maxInstanceSize: bytesOf(raw.max_instance_size),
    timeouts: {
      associationRequestMs: milliseconds(raw.timeouts.association_request),
      idleMs: milliseconds(raw.timeouts.idle),
      readMs: milliseconds(raw.timeouts.read),
      writeStallMs: milliseconds(raw.timeouts.write_stall),
      stopMs: milliseconds(raw.timeouts.stop),
    },
    minimumFreeSpace: bytesOf(raw.minimum_free_space),
    allowUnsafeSpoolVolume: raw.allow_unsafe_spool_volume,
    forwardImmediately: raw.forward_immediately,
    studyQuietMs: milliseconds(raw.study_quiet_seconds),
    logLevel: raw.log_level,
    logRetentionDays: raw.log_retention_days,
    ledgerRetentionDays: raw.ledger_retention_days,
    logPatientInfo: raw.log_patient_info,
    web: {
      enabled: raw.web.enabled,
      host: raw.web.host,
      port: raw.web.port,
      passwordHash: raw.web.password_hash ?? null,
      allowedNames: raw.web.allowed_names,
      sessionHours: raw.web.session_hours,
      metricsPublic: raw.web.metrics_public,
      tls: webTlsFrom(raw.web.tls, folder),
    },
    watchConfig: raw.watch_config,
    alarms: alarmsFrom(raw, folder),
    tls: serverTlsFrom(raw.tls, raw.local_host, folder),
    audit: auditFrom(raw, folder),
  };
}

function allDestinations(raw: ConfigFile, folder: string): DestinationConfig[] {
  const all = raw.destinations.map((destination) => oneDestination(destination, raw, folder));
  if (raw.pacs_host !== undefined) {
    // Through the schema, so that a PACS given the short way has the defaults of one given in full.
    const { pacs_host: host, pacs_port: port, pacs_ae_title: ae_title } = raw;
    const short = configSchema.shape.destinations.parse([{ name: "pacs", host, port, ae_title }]);
    all.unshift(...short.map((pacs) => oneDestination(pacs, raw, folder)));
  }
  if (raw.store_locally) {
    const path = resolve(folder, raw.storage_dir);
    all.push({ type: "directory", name: "archive", path, retryAttempts: raw.retry_attempts });
  }
  return all;
}

function oneDestination(
  raw: ConfigFile["destinations"][number],
  file: ConfigFile,
  folder: string,
): DestinationConfig {
  const { name } = raw;
  const retryAttempts = raw.retry_attempts ?? file.retry_attempts;
  if (raw.type === "directory") {
    return { type: raw.type, name, path: resolve(folder, raw.path), retryAttempts };
  }
  return {
    type: "dicom",
    name,
    host: raw.host,
    port: raw.port,
    tls: clientTlsFrom(raw.tls, folder),
    aeTitle: raw.ae_title.trim(),
    callingAeTitle: (raw.calling_ae_title ?? file.local_ae_title).trim(),
    associations: raw.associations,
    timeouts: {
      connectMs: milliseconds(raw.timeouts.connect),
      associationMs: milliseconds(raw.timeouts.association),
      responseMs: milliseconds(raw.timeouts.response),
      releaseMs: milliseconds(raw.timeouts.release),
      writeStallMs: milliseconds(raw.timeouts.write_stall),
      idleReleaseMs: milliseconds(raw.timeouts.idle_release),
    },
    maxPduLength: raw.max_pdu_length,
    userIdentity: raw.user_identity === undefined ? null : {
      username: raw.user_identity.username,
      passcode: raw.user_identity.passcode ?? null,
    },
    transcode: raw.transcode,
    retryAttempts,
  };
}

/** Leading and trailing spaces of an AE title mean nothing (PS3.5 §6.2). */
function trimmed(text: string): string {
  return text.trim();
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}

function unreadable(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return `There is no configuration file ${path}.`;
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return `The configuration file ${path} may not be read by this user.`;
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return `${path} is a folder: wanted the configuration file in it.`;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return `The configuration file ${path} cannot be read: ${reason}.`;
}

function issueFaults(issue: z.core.$ZodIssue, content: unknown): ConfigFault[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: pathText(issue.path), value: at(content, issue.path), wanted: issue.message }];
  }
  const known = issue.message.split(" ").filter((key) => key !== "$schema");
  const list = known.length > 10 ? "see docs/configuration.md" : `one of ${known.join(", ")}`;
  return issue.keys.map((key) => {
    const path = [...issue.path, key];
    const meant = nearest(key, known);
    const hint = meant === null ? list : `did you mean "${meant}"?`;
    return { path: pathText(path), value: at(content, path), wanted: `no such key: ${hint}` };
  });
}

function at(content: unknown, path: readonly PropertyKey[]): unknown {
  let value = content;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return value;
}

function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else text += (text === "" ? "" : ".") + plain(String(key));
  }
  return text;
}

function sameAs(one: ConfigFault): (other: ConfigFault) => boolean {
  return (other) => other.path === one.path && other.wanted === one.wanted;
}

function listFaults(faults: readonly ConfigFault[], file: string | null): string {
  const count = faults.length === 1 ? "One setting is" : `${faults.length} settings are`;
  const lines = faults.map(({ path, value, wanted }) => {
    const actual = value === undefined
      ? "missing"
      : isMistypedSecret(path, wanted)
      ? NOT_SHOWN
      : valueText(path, value);
    const verdict = wanted.startsWith("no such key") ? wanted : `wanted ${wanted}`;
    return `  ${path === "" ? "the file" : path}: ${actual}: ${verdict}`;
  });
  return `${count} wrong in ${file ?? "the configuration"}:\n${lines.join("\n")}`;
}

/** Where secrets are set, a key that nobody knows may be one of them, mistyped. */
function isMistypedSecret(path: string, wanted: string): boolean {
  return wanted.startsWith("no such key") && /^(web|alarms)\./.test(path);
}

const NOT_SHOWN = "(not shown)";
const SECRET = /pass|secret|token|credential|private|key$|pin$|^alarms\.webhook\.|^headers$|^url$/i;
const LONGEST_VALUE = 80;

function valueText(path: string, value: unknown): string {
  if (SECRET.test(path)) return NOT_SHOWN;
  const json = JSON.stringify(value, (key, part) => SECRET.test(key) ? NOT_SHOWN : part);
  const text = plain(json);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}...`;
}

/** One line for a terminal: what is invisible or moves the cursor becomes an escape. */
function plain(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}\p{Cs}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
