/*
 * The settings in plain words, and what is different from before. Pure.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import { redact } from "../config/redact.ts";
import { shortJson } from "./flags.ts";
import { sameJson } from "./json_edit.ts";
import type { Settings } from "./settings.ts";

/** What the settings come to, a line each. */
export function summaryLines(config: Config): readonly string[] {
  const { routes, destinations } = config;
  const port = config.localPort === 0 ? "any free port" : `port ${config.localPort}`;
  return [
    `Receives as  ${config.localAeTitle}, ${port}`,
    ...destinations.map((one) => `Sends to     ${describe(one)}`),
    `Images       ${
      routes.length === 0
        ? destinations.length === 1 ? "all of them" : "all of them, to each destination"
        : `by ${routes.length === 1 ? "1 route" : `${routes.length} routes`} in the file`
    }`,
    `When         ${
      config.forwardImmediately
        ? "at once"
        : `when a study has had no new image for ${config.studyQuietMs / 1000} s`
    }`,
    `Spool        ${config.spoolDir}`,
    `Logs         ${config.logDir}`,
    `Status page  ${pageAddress(config)}`,
  ];
}

function pageAddress({ web }: Config): string {
  if (!web.enabled) return "none";
  const scheme = web.tls === null ? "http" : "https";
  const port = web.port === 0 ? "any free port" : `port ${web.port}`;
  const who = web.passwordHash === null ? "" : ", with a password";
  return `${scheme}, ${web.host}, ${port}${who}`;
}

function describe(destination: DestinationConfig): string {
  if (destination.type === "directory") return `folder ${destination.path} (${destination.name})`;
  const { aeTitle, host, port, name } = destination;
  return `${aeTitle} at ${host} port ${port} (${name})`;
}

/** What changed, a line each: `local_port: 104 -> 11112`; lists are told item by item, by name or by number. */
export function changeLines(before: Settings, after: Settings): readonly string[] {
  const keys = [...Object.keys(before), ...Object.keys(after).filter((key) => !(key in before))];
  return keys.flatMap((key) => changesOf(key, before[key], after[key]));
}

function changesOf(path: string, before: unknown, after: unknown): readonly string[] {
  if (sameJson(before, after)) return [];
  if (isSecret(path)) {
    const what = before === undefined ? "new" : after === undefined ? "removed" : "another";
    return [`${path}: ${what} (not shown)`];
  }
  const [was, is] = [before ?? {}, after ?? {}];
  // One item of a list comes or goes as a whole; else a password that comes or goes with what holds it has to be seen.
  const isItem = path.includes(" ") && (before === undefined || after === undefined);
  if (isRecord(was) && isRecord(is) && !isItem) {
    const lines = changeLines(was, is);
    if (lines.length > 0) return lines.map((line) => `${path}.${line}`);
  }
  if (before === undefined) {
    return [isPlain(after) ? `${path}: ${shown(path, after)} (new)` : `${path}: new`];
  }
  if (after === undefined) {
    return [isPlain(before) ? `${path}: ${shown(path, before)} (removed)` : `${path}: removed`];
  }
  if (isNamedList(before) && isNamedList(after)) {
    return [...new Set([...before, ...after].map(({ name }) => name))].flatMap((name) =>
      changesOf(`${path} ${name}`, named(before, name), named(after, name))
    );
  }
  if (isRecordList(before) && isRecordList(after)) {
    return before.length === after.length
      ? before.flatMap((item, index) => changesOf(`${path} ${index + 1}`, item, after[index]))
      : [`${path}: ${before.length} before, ${after.length} now`];
  }
  return [`${path}: ${shown(path, before)} -> ${shown(path, after)}`];
}

/** A value in one line, without the secrets in it. */
function shown(path: string, value: unknown): string {
  const name = nameOf(path);
  return shortJson(redact({ [name]: value })[name]);
}

/** Told as changed, and no more. */
function isSecret(path: string): boolean {
  const name = nameOf(path);
  return redact({ [name]: "any" })[name] !== "any";
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** True for what fits in a line. */
function isPlain(value: unknown): boolean {
  return typeof value !== "object";
}

function isRecordList(value: unknown): value is readonly Settings[] {
  return Array.isArray(value) && value.every(isRecord);
}

function isRecord(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is readonly (Settings & { readonly name: string })[] {
  return isRecordList(value) && value.every(({ name }) => typeof name === "string");
}

function named(list: readonly Settings[], name: string): Settings | undefined {
  return list.find((item) => item.name === name);
}
