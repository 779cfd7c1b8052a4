/*
 * What another configuration changes in a running forwarder, and what each change needs. Pure.
 *
 * Owns which settings can be changed while it runs. One that cannot stays as it was until the next start and is named.
 */

import { isDeepStrictEqual } from "node:util";
import type { Config, DestinationConfig } from "../config/load.ts";

/** What becomes of one setting when it is changed. */
type Need =
  /** In force from the next instance, association or attempt on. */
  | "at once"
  /** Has a step of its own: the listener, the destinations. */
  | "own step"
  | "next start";

interface Setting {
  /** As the configuration file calls it. */
  readonly key: string;
  readonly need: Need;
  /** Whether old and new value are told: not where it is long, or secret. */
  readonly told: boolean;
}

function atOnce(key: string, told = true): Setting {
  return { key, need: "at once", told };
}

function nextStart(key: string, told = true): Setting {
  return { key, need: "next start", told };
}

/** Every setting: one that is added to the configuration has to say here what a change of it needs. */
const SETTINGS: Readonly<Record<Exclude<keyof Config, "file">, Setting>> = {
  localAeTitle: atOnce("local_ae_title"),
  localHost: { key: "local_host", need: "own step", told: true },
  localPort: { key: "local_port", need: "own step", told: true },
  spoolDir: nextStart("spool_dir"),
  logDir: nextStart("log_dir"),
  destinations: { key: "destinations", need: "own step", told: false },
  routes: atOnce("routes", false),
  allowedCallingAeTitles: atOnce("allowed_calling_ae_titles", false),
  allowedHosts: atOnce("allowed_hosts", false),
  requireCalledAeTitle: atOnce("require_called_ae_title"),
  senders: atOnce("senders", false),
  connectionRate: atOnce("connection_rate", false),
  userIdentity: atOnce("user_identity", false),
  maxAssociations: atOnce("max_associations"),
  maxAssociationsPerHost: atOnce("max_associations_per_host"),
  maxPduLength: atOnce("max_pdu_length"),
  maxInstanceSize: atOnce("max_instance_size"),
  timeouts: atOnce("timeouts", false),
  minimumFreeSpace: atOnce("minimum_free_space"),
  allowUnsafeSpoolVolume: nextStart("allow_unsafe_spool_volume"),
  forwardImmediately: atOnce("forward_immediately"),
  studyQuietMs: atOnce("study_quiet_seconds", false),
  logLevel: atOnce("log_level"),
  logRetentionDays: atOnce("log_retention_days"),
  ledgerRetentionDays: atOnce("ledger_retention_days"),
  logPatientInfo: atOnce("log_patient_info"),
  watchConfig: atOnce("watch_config"),
  web: atOnce("web", false),
  alarms: atOnce("alarms", false),
  tls: { key: "tls", need: "own step", told: false },
  audit: atOnce("audit", false),
};

/** A destination of the new configuration, and what is new about it. */
export interface PlannedDestination {
  readonly settings: DestinationConfig;
  readonly change: "kept" | "added" | "changed";
}

export interface ReloadPlan {
  /** What is to be in force: the new configuration, but for what has to wait for a start. */
  readonly config: Config;
  /** Where to listen instead; null where that stays. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** In the order of the configuration. */
  readonly destinations: readonly PlannedDestination[];
  /** Names of destinations that are gone. */
  readonly removed: readonly string[];
  /** Settings that differ and take effect at the next start, as the file calls them. */
  readonly atNextStart: readonly string[];
  /** For people, a line each; empty where nothing differs. */
  readonly lines: readonly string[];
}

/** Compares the configuration in force with another one. */
export function planReload(old: Config, wanted: Config): ReloadPlan {
  const names = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[];
  const differing = names.filter((name) => !isDeepStrictEqual(old[name], wanted[name]));
  const waiting = differing.filter((name) => SETTINGS[name].need === "next start");
  const lines = differing.filter((name) => name !== "destinations").map((name) => {
    const { key, need, told } = SETTINGS[name];
    const what = told ? `${key}: ${text(wanted[name])}, was ${text(old[name])}` : `${key}: changed`;
    return need === "next start" ? `${what}: takes effect at the next start` : what;
  });
  const { destinations, removed, told } = planDestinations(old, wanted);
  const moves = differing.includes("localHost") || differing.includes("localPort");
  return {
    config: { ...wanted, ...keptOf(old, waiting) },
    listen: moves ? { host: wanted.localHost, port: wanted.localPort } : null,
    destinations,
    removed,
    atNextStart: waiting.map((name) => SETTINGS[name].key),
    lines: [...lines, ...told],
  };
}

function planDestinations(old: Config, wanted: Config) {
  const before = new Map(old.destinations.map((each) => [each.name, each]));
  // It decides what a destination tells of its answers and paths.
  const allChange = old.logPatientInfo !== wanted.logPatientInfo;
  const told: string[] = [];
  const destinations = wanted.destinations.map((settings): PlannedDestination => {
    const was = before.get(settings.name);
    if (was === undefined) {
      told.push(`destination ${settings.name}: added`);
      return { settings, change: "added" };
    }
    const differing = differences(was, settings);
    if (differing.length > 0) {
      told.push(`destination ${settings.name}: changed (${differing.join(", ")})`);
    }
    return { settings, change: differing.length > 0 || allChange ? "changed" : "kept" };
  });
  const now = new Set(wanted.destinations.map((each) => each.name));
  const removed = [...before.keys()].filter((name) => !now.has(name));
  for (const name of removed) {
    told.push(
      `destination ${name}: removed; what waits for it is kept in failed/${name} and comes back with it`,
    );
  }
  return { destinations, removed, told };
}

/** Names of the settings in which two destinations of one name differ, with both values where they are short. */
function differences(was: DestinationConfig, is: DestinationConfig): string[] {
  if (was.type !== is.type) return [`type: ${is.type}, was ${was.type}`];
  const before: Readonly<Record<string, unknown>> = { ...was };
  const now: Readonly<Record<string, unknown>> = { ...is };
  return Object.keys(now).filter((key) => !isDeepStrictEqual(before[key], now[key])).map((key) => {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const short = typeof now[key] !== "object";
    return short ? `${name}: ${text(now[key])}, was ${text(before[key])}` : name;
  });
}

function keptOf(old: Config, names: readonly (keyof Config)[]): Partial<Config> {
  return Object.fromEntries(names.map((name) => [name, old[name]]));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
