/*
 * The settings of alarms as the program works with them: milliseconds, minutes of the day, defaults filled in.
 *
 * Pure. What of it is secret is decided in redact.ts.
 */

import { resolve } from "node:path";
import { type ConfigFile, WEEKDAYS } from "./schema.ts";

/** A modality that is to be heard from. */
export interface SilentConfig {
  readonly aeTitle: string;
  /** Without an instance until it is an alarm; ms, of which only those between `from` and `to` count. */
  readonly silenceMs: number;
  /** Days that count: 0 = Sunday ... 6 = Saturday. */
  readonly days: readonly number[];
  /** Minutes after midnight, local time. */
  readonly from: number;
  /** Minutes after midnight, local time; not after `from` = on the next day. */
  readonly to: number;
}

export interface WebhookConfig {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Absolute path of the issuer's certificate; null where the usual ones are trusted. */
  readonly caFile: string | null;
}

export interface EmailConfig {
  readonly host: string;
  readonly port: number;
  readonly security: "none" | "starttls" | "tls";
  /** Null where the server asks for none. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** Absolute path of the issuer's certificate; null where the usual ones are trusted. */
  readonly caFile: string | null;
  readonly from: string;
  readonly to: readonly string[];
}

export interface AlarmsConfig {
  /** ms; 0 = never. */
  readonly repeatMs: number;
  readonly destinationDownMs: number;
  /** ms; 0 = off. */
  readonly oldestAgeMs: number;
  readonly failed: boolean;
  readonly silent: readonly SilentConfig[];
  readonly webhook: WebhookConfig | null;
  readonly email: EmailConfig | null;
  /** Of the site, in texts; null = our AE title. */
  readonly name: string | null;
  readonly patientData: boolean;
}

const MAIL_PORTS = { none: 25, starttls: 587, tls: 465 } as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * The settings of alarms out of a file that the schema has accepted.
 *
 * @param folder absolute folder that relative paths start from
 */
export function alarmsFrom(file: ConfigFile, folder: string): AlarmsConfig {
  const raw = file.alarms;
  const absolute = (path: string | undefined) => path === undefined ? null : resolve(folder, path);
  return {
    repeatMs: Math.round(raw.repeat_hours * HOUR_MS),
    destinationDownMs: Math.round(raw.destination_down_minutes * MINUTE_MS),
    oldestAgeMs: Math.round(raw.oldest_age_minutes * MINUTE_MS),
    failed: raw.failed,
    silent: raw.silent.map((one) => ({
      aeTitle: one.ae_title.trim(),
      silenceMs: Math.round(one.hours * HOUR_MS),
      days: one.days.map((day) => WEEKDAYS.indexOf(day)),
      from: minutesOf(one.from),
      to: minutesOf(one.to),
    })),
    webhook: raw.webhook === undefined ? null : {
      url: raw.webhook.url,
      headers: raw.webhook.headers,
      timeoutMs: Math.round(raw.webhook.timeout * 1000),
      caFile: absolute(raw.webhook.ca_file),
    },
    email: raw.email === undefined ? null : {
      host: raw.email.host,
      port: raw.email.port ?? MAIL_PORTS[raw.email.security],
      security: raw.email.security,
      login: raw.email.user === undefined || raw.email.password === undefined
        ? null
        : { user: raw.email.user, password: raw.email.password },
      caFile: absolute(raw.email.ca_file),
      from: raw.email.from,
      to: raw.email.to,
    },
    name: raw.name ?? null,
    patientData: raw.patient_data,
  };
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(":");
  return Number(hours) * 60 + Number(minutes);
}
