/*
 * What the settings together must fulfil: names that are unique and exist, folders that keep apart, something to do.
 *
 * Works on the file as it was written, well-formed or not, so that these faults are told together with those the
 * schema finds; it skips whatever has the wrong type. Pure; never reads a file or the network.
 */

import { isAbsolute, relative, resolve, sep } from "node:path";
import { MAX_DESTINATIONS } from "./schema_values.ts";
import { tlsFaults } from "./tls.ts";

/** One wrong setting: where it is (`destinations[1].port`), what stands there, and what is wanted instead. */
export interface ConfigFault {
  readonly path: string;
  /** As in the file; undefined where the key is missing. */
  readonly value: unknown;
  readonly wanted: string;
}

type Settings = Readonly<Record<string, unknown>>;

/** Windows keeps these names for devices, and a destination's name becomes a folder below the spool. */
const DEVICE_NAME = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

/** True for a JSON object. */
export function isSettings(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The word of `known` that `written` was probably meant to be, or null. */
export function nearest(written: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.min(4, Math.ceil(written.length / 3) + 1);
  for (const word of known) {
    const distance = editDistance(written.toLowerCase(), word.toLowerCase());
    if (distance < least) [best, least] = [word, distance];
  }
  return best;
}

/** Levenshtein distance of two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/**
 * Every fault between settings of one file.
 *
 * @param file the parsed content, of any shape
 * @param folder absolute folder that relative paths start from
 */
export function crossFaults(file: Settings, folder: string): ConfigFault[] {
  const destinations = Array.isArray(file.destinations) ? file.destinations : [];
  const built = [
    ...(file.pacs_host === undefined ? [] : ["pacs"]),
    ...(file.store_locally === true ? ["archive"] : []),
  ];
  return [
    ...purposeFaults(file, built, destinations),
    ...nameFaults(built, destinations),
    ...routeFaults(file, built, destinations),
    ...folderFaults(file, folder, destinations),
    ...loopFaults(file, destinations),
    ...webFaults(file.web, file.local_port ?? 11_112),
    ...senderFaults(file),
    ...tlsFaults(file.tls, destinations, {
      ...isSettings(file.tls) && file.tls.only === true
        ? {}
        : { local_port: file.local_port ?? 11_112 },
      "web.port": isSettings(file.web) ? file.web.port ?? 8104 : 8104,
    }),
    ...alarmFaults(isSettings(file.alarms) ? file.alarms : {}),
    ...auditFaults(isSettings(file.audit) ? file.audit : {}),
  ];
}

function purposeFaults(file: Settings, built: readonly string[], destinations: readonly unknown[]) {
  const faults: ConfigFault[] = [];
  const count = built.length + destinations.length;
  if (count === 0 && (file.destinations === undefined || Array.isArray(file.destinations))) {
    const wanted =
      "somewhere to send to: a host name or IP address here, or a destination in destinations, or store_locally true";
    faults.push({ path: "pacs_host", value: file.pacs_host, wanted });
  }
  if (count > MAX_DESTINATIONS) {
    const wanted = `at most ${MAX_DESTINATIONS} destinations, "pacs" and "archive" included`;
    faults.push({ path: "destinations", value: `(${count} destinations)`, wanted });
  }
  return faults;
}

function nameFaults(built: readonly string[], destinations: readonly unknown[]): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const places = new Map<string, string>();
  for (const [index, destination] of destinations.entries()) {
    const name = isSettings(destination) ? destination.name : undefined;
    if (typeof name !== "string") continue;
    const path = `destinations[${index}].name`;
    const first = places.get(name);
    if (first !== undefined) {
      faults.push({
        path,
        value: name,
        wanted: `a name of its own: ${first} has this one`,
      });
    } else if (name === "unrouted" || built.includes(name) || DEVICE_NAME.test(name)) {
      faults.push({ path, value: name, wanted: `another name: ${reason(name)}` });
    }
    places.set(name, first ?? path.slice(0, -".name".length));
  }
  return faults;
}

function reason(name: string): string {
  if (name === "pacs") return '"pacs" is the destination that pacs_host makes';
  if (name === "archive") return '"archive" is the destination that store_locally makes';
  if (name === "unrouted") return '"unrouted" is where instances without a route wait';
  return "Windows keeps this one for a device";
}

function routeFaults(file: Settings, built: readonly string[], destinations: readonly unknown[]) {
  const faults: ConfigFault[] = [];
  const known = [...built];
  for (const destination of destinations) {
    if (isSettings(destination) && typeof destination.name === "string") {
      known.push(destination.name);
    }
  }
  const routes = Array.isArray(file.routes) ? file.routes : [];
  for (const [index, route] of routes.entries()) {
    const names = isSettings(route) && Array.isArray(route.destinations) ? route.destinations : [];
    for (const [place, name] of names.entries()) {
      if (typeof name !== "string" || known.includes(name)) continue;
      const list = [...new Set(known)].map((each) => `"${each}"`).join(", ") ||
        "none is configured";
      const wanted = `the name of a destination (${list})`;
      faults.push({ path: `routes[${index}].destinations[${place}]`, value: name, wanted });
    }
  }
  return faults;
}

/** The spool's files are the queue: a foreign file among them would be taken for an instance, or removed as debris. */
function folderFaults(
  file: Settings,
  folder: string,
  destinations: readonly unknown[],
): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const spool = resolve(folder, typeof file.spool_dir === "string" ? file.spool_dir : "spool");
  const apart = (path: string, value: unknown) => {
    if (typeof value === "string" && isWithin(resolve(folder, value), spool)) {
      faults.push({ path, value, wanted: `a folder outside spool_dir (${spool})` });
    }
  };
  if (file.store_locally === true) apart("storage_dir", file.storage_dir ?? "storage");
  for (const [index, destination] of destinations.entries()) {
    if (isSettings(destination)) apart(`destinations[${index}].path`, destination.path);
  }
  apart("log_dir", file.log_dir ?? "logs");
  return faults;
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** A destination that is this very listener would send each instance round for ever. */
function loopFaults(file: Settings, destinations: readonly unknown[]): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const tls = isSettings(file.tls) ? file.tls : undefined;
  const ours: Record<string, readonly [host: unknown, port: unknown]> = {
    local_port: [file.local_host, file.local_port ?? 11_112],
    ...tls === undefined ? {} : { "tls.port": [tls.host ?? file.local_host, tls.port ?? 2762] },
  };
  const loopback = ["127.0.0.1", "::1", "localhost"];
  const checkOne = (path: string, host: unknown, port: unknown, own: string) => {
    const [listening = "0.0.0.0", ownPort] = ours[own]!;
    if (typeof host !== "string" || port !== ownPort) return;
    const reached = loopback.includes(host) &&
      ["0.0.0.0", "::", ...loopback].includes(String(listening));
    if (!reached && host !== listening) return;
    faults.push({
      path,
      value: port,
      wanted: `another node's port: this one is our own ${own}`,
    });
  };
  const check = (path: string, host: unknown, port: unknown) => {
    for (const own of Object.keys(ours)) checkOne(path, host, port, own);
  };
  check("pacs_port", file.pacs_host, file.pacs_port ?? 104);
  for (const [index, destination] of destinations.entries()) {
    if (isSettings(destination)) {
      check(`destinations[${index}].port`, destination.host, destination.port);
    }
  }
  return faults;
}

/** Whether nobody but this machine reaches what is served on an address or a name. */
export function isOwnHost(host: string): boolean {
  return /^(localhost|::1|127(\.[0-9]{1,3}){3})$/i.test(host);
}

/** Whoever else than this machine reaches the status page has to log in; and a port serves one thing. */
function webFaults(web: unknown, localPort: unknown): ConfigFault[] {
  if (!isSettings(web) || web.enabled === false) return [];
  const faults: ConfigFault[] = [];
  if (web.port === localPort && localPort !== 0) {
    const wanted = "another port: DICOM is received on this one (local_port)";
    faults.push({ path: "web.port", value: web.port, wanted });
  }
  const own = typeof web.host !== "string" || isOwnHost(web.host);
  const named = Array.isArray(web.allowed_names) && web.allowed_names.length > 0;
  if (web.password_hash === undefined && (!own || named)) {
    const wanted = "a password for whoever reaches the page from elsewhere: run " +
      "`dicomforwarder web-password`, or keep host at 127.0.0.1 and allowed_names empty";
    faults.push({ path: "web.password_hash", value: undefined, wanted });
  }
  return faults;
}

/** Users have to exist and be told apart, and an entry that can never be met lets nobody in. */
function senderFaults(file: Settings): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const identity = isSettings(file.user_identity) ? file.user_identity : {};
  const users = new Set<unknown>();
  for (const [index, user] of (Array.isArray(identity.users) ? identity.users : []).entries()) {
    const name = isSettings(user) ? user.name : undefined;
    if (typeof name !== "string") continue;
    if (users.has(name)) {
      const wanted = "a name of its own: a user before has this one";
      faults.push({ path: `user_identity.users[${index}].name`, value: name, wanted });
    }
    users.add(name);
  }
  if (identity.required === true && users.size === 0 && Array.isArray(identity.users ?? [])) {
    const wanted = "at least one user: with required true nobody else may send";
    faults.push({ path: "user_identity.users", value: identity.users, wanted });
  }
  const ours = typeof file.local_ae_title === "string" ? file.local_ae_title : "DICOMFORWARDER";
  for (const [index, sender] of (Array.isArray(file.senders) ? file.senders : []).entries()) {
    if (!isSettings(sender)) continue;
    const { user, called_ae_titles: called } = sender;
    if (typeof user === "string" && !users.has(user)) {
      const wanted = "the name of a user in user_identity.users";
      faults.push({ path: `senders[${index}].user`, value: user, wanted });
    }
    const reached = file.require_called_ae_title === false || !Array.isArray(called) ||
      called.some((title) => String(title).trim() === ours.trim());
    if (reached) continue;
    const wanted = `local_ae_title (${ours}) among them: require_called_ae_title lets in no other`;
    faults.push({ path: `senders[${index}].called_ae_titles`, value: called, wanted });
  }
  return faults;
}

function alarmFaults(alarms: Settings): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const titles = new Set<string>();
  const silent = Array.isArray(alarms.silent) ? alarms.silent : [];
  for (const [index, one] of silent.entries()) {
    if (!isSettings(one)) continue;
    const path = `alarms.silent[${index}]`;
    const { ae_title: title, from = "07:00", to = "19:00" } = one;
    if (typeof title === "string") {
      if (titles.has(title.trim())) {
        const wanted = "an AE title of its own: an entry before has this one";
        faults.push({ path: `${path}.ae_title`, value: title, wanted });
      }
      titles.add(title.trim());
    }
    if (from === to) {
      const wanted = `another time than from; "00:00" to "24:00" is the whole day`;
      faults.push({ path: `${path}.to`, value: to, wanted });
    }
  }
  const { email } = alarms;
  if (!isSettings(email)) return faults;
  for (const [given, needed] of [["user", "password"], ["password", "user"]] as const) {
    if (email[given] === undefined || email[needed] !== undefined) continue;
    const wanted = `a text: alarms.email.${given} is of no use without it`;
    faults.push({ path: `alarms.email.${needed}`, value: undefined, wanted });
  }
  return faults;
}

/** Certificates are of use over TLS alone, and none without its key. */
function auditFaults(audit: Settings): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const pair = [["certificate_file", "key_file"], ["key_file", "certificate_file"]] as const;
  for (const [given, needed] of pair) {
    if (audit[given] === undefined || audit[needed] !== undefined) continue;
    const wanted = `a file: audit.${given} is of no use without it`;
    faults.push({ path: `audit.${needed}`, value: undefined, wanted });
  }
  const { protocol = "tls" } = audit;
  if (protocol !== "udp" && protocol !== "tcp") return faults;
  for (const key of ["ca_file", "certificate_file", "key_file"]) {
    if (audit[key] === undefined) continue;
    const wanted =
      `nothing: ${protocol} uses no certificates; remove the key, or set protocol to "tls"`;
    faults.push({ path: `audit.${key}`, value: audit[key], wanted });
  }
  return faults;
}
