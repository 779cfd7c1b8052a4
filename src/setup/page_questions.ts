/*
 * The status page: who may open it, under which password, and how it is reached from other machines.
 *
 * A password is asked for twice and only its hash goes into the settings. Nobody else on the network is let near the page
 * without one: the schema would refuse the file.
 */

import { resolve } from "node:path";
import {
  hashPassword,
  LONGEST_PASSWORD,
  SHORTEST_PASSWORD,
  wrongLength,
} from "../access/password.ts";
import { isOwnHost, isSettings } from "../config/check.ts";
import { sameJson } from "./json_edit.ts";
import { loadCredentials, TlsError } from "../tls/credentials.ts";
import type { Screen } from "./screen.ts";
import { DEFAULTS, faultsOf, type Settings, typed, wantedAt, withSetting } from "./settings.ts";

/** Who may open the page. */
export type Openness = "own" | "password" | "network" | "off";

/** Every network interface. */
const EVERYWHERE = "0.0.0.0";

/** Who may open the page by these settings. */
export function opennessOf(settings: Settings): Openness {
  const web = webOf(settings);
  if (web.enabled === false) return "off";
  if (!isOwn(web.host) || namesOf(web).length > 0) return "network";
  return typeof web.password_hash === "string" ? "password" : "own";
}

/** The same in words. */
export function pageText(settings: Settings): string {
  const { tls } = webOf(settings);
  return {
    own: "this machine only",
    password: "this machine only, with a password",
    network: `the network, with a password${isSettings(tls) ? " and TLS" : ""}`,
    off: "none",
  }[opennessOf(settings)];
}

/** The settings with some of `web` changed; undefined takes one away. */
export function withWeb(settings: Settings, changes: Settings): Settings {
  const web = Object.entries({ ...webOf(settings), ...changes });
  const left = web.filter(([, value]) => value !== undefined);
  return withSetting(settings, "web", left.length === 0 ? undefined : Object.fromEntries(left));
}

/** Asks for all of it. */
export async function askPage(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  const openness = await screen.choose("Who may open the status page?", [
    { value: "own", label: "Who works on this machine" },
    { value: "password", label: "Who works on this machine and knows a password" },
    { value: "network", label: "Who reaches this machine and knows a password" },
    { value: "off", label: "Nobody: there is no page" },
  ], opennessOf(settings));
  const before = webOf(settings);
  if (openness === "off") return withoutWrong(withWeb(settings, { enabled: false }), folder);
  const open = withWeb(settings, { enabled: before.enabled === true ? true : undefined });
  const own = { host: ownHost(before), allowed_names: namesFor(before, []) };
  if (openness === "own") {
    return withoutWrong(withWeb(open, { ...own, password_hash: undefined }), folder);
  }
  const locked = await askPassword(screen, open, folder);
  if (openness === "password") return withoutWrong(withWeb(locked, own), folder);
  return await askNetwork(screen, locked, folder);
}

/** What an answer leaves no question for cannot be put right in one, and must not keep the rest from being saved. */
function withoutWrong(settings: Settings, folder: string): Settings {
  const wrong = faultsOf(settings, folder).flatMap(({ path }) =>
    /^web\.(host|password_hash|allowed_names|tls)(\[\d+\]|\.certificate|\.key)?$/.exec(path)?.[1] ??
      []
  );
  return withWeb(settings, Object.fromEntries(wrong.map((key) => [key, undefined])));
}

async function askPassword(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  const known = webOf(settings).password_hash;
  if (known !== undefined && wantedAt(settings, folder, "web.password_hash") === undefined) {
    const kept = await screen.choose("The password", [
      { value: "keep", label: "Keep the one there is" },
      { value: "new", label: "Set another" },
    ]);
    if (kept === "keep") return settings;
  }
  for (;;) {
    const password = await screen.secret(
      `Password of the status page, ${SHORTEST_PASSWORD} characters or more`,
      passwordWanted,
    );
    const again = await screen.secret("The same again");
    if (again === password) {
      return withWeb(settings, { password_hash: await hashPassword(password) });
    }
    screen.bad("The two are not the same.");
  }
}

/** What is wanted of a password; undefined where it is right. */
export function passwordWanted(password: string): string | undefined {
  const length = wrongLength(password);
  return length === undefined
    ? undefined
    : `${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters, not ${length}`;
}

async function askNetwork(screen: Screen, settings: Settings, folder: string): Promise<Settings> {
  const before = webOf(settings);
  const host = await screen.line(
    `Address of this machine that the page is served on (${EVERYWHERE} = all)`,
    addressOf(before),
    (answer) => wantedAt(withWeb(settings, { host: answer }), folder, "web.host"),
  );
  const isUsual = before.host === undefined && host === DEFAULTS.web.host;
  const reached = withWeb(settings, { host: isUsual ? undefined : host });
  const names = await screen.line(
    "Names people call this machine by, with commas (empty = its address)",
    typed(namesOf(before).join(", ")),
    (answer) => namesWanted(reached, answer, folder),
  );
  const named = withWeb(reached, { allowed_names: namesFor(before, namesIn(names)) });
  const tls = isSettings(before.tls) ? before.tls : {};
  const certificate = await screen.line(
    "File of a certificate (PEM) for https (empty = all can be read on the way)",
    typed(tls.certificate),
  );
  if (certificate === "") return withWeb(named, { tls: undefined });
  const key = await screen.line(
    "File of its key (PEM)",
    typed(tls.key),
    (answer) => answer === "" ? "the file of the certificate's key" : undefined,
  );
  const trouble = filesTrouble(folder, certificate, key, tls.key_passphrase);
  if (trouble !== undefined) screen.warn(`${trouble}. Until it can be used there is no page.`);
  return withWeb(named, { tls: { ...tls, certificate, key } });
}

/** Why the files cannot be used now; undefined where they can. They may still come. */
function filesTrouble(
  folder: string,
  certificate: string,
  key: string,
  passphrase: unknown,
): string | undefined {
  try {
    loadCredentials({
      certificate: resolve(folder, certificate),
      key: resolve(folder, key),
      keyPassphrase: typeof passphrase === "string" ? passphrase : null,
    });
    return undefined;
  } catch (error) {
    if (error instanceof TlsError) return error.message;
    throw error;
  }
}

function namesWanted(settings: Settings, answer: string, folder: string): string | undefined {
  const names = namesIn(answer);
  return names.map((_, n) =>
    wantedAt(withWeb(settings, { allowed_names: names }), folder, `web.allowed_names[${n}]`)
  ).find((wanted) => wanted !== undefined);
}

function namesIn(answer: string): string[] {
  return answer.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** No list where there are none, unless an empty one was there. */
function namesFor(before: Settings, names: readonly string[]): readonly string[] | undefined {
  return names.length === 0 && !sameJson(before.allowed_names, []) ? undefined : names;
}

/** Where it is served by a name already, by a proxy on this machine, say, it must not be opened wider by Enter. */
function addressOf(web: Settings): string {
  if (!isOwn(web.host)) return typed(web.host);
  return namesOf(web).length === 0 ? EVERYWHERE : typed(web.host) || DEFAULTS.web.host;
}

/** An address of this machine's own that was there is kept. */
function ownHost({ host }: Settings): unknown {
  return isOwn(host) ? host : undefined;
}

function isOwn(host: unknown): boolean {
  return typeof host !== "string" || isOwnHost(host);
}

function namesOf(web: Settings): readonly string[] {
  const { allowed_names: names } = web;
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

function webOf(settings: Settings): Settings {
  return isSettings(settings.web) ? settings.web : {};
}
