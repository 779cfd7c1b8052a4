/*
 * Secrets in a configuration file and private keys that it names, and whether everybody on the machine can read them.
 *
 * Owns which settings are secrets and what "everybody can read it" means: the file's mode lets others read it, and every
 * folder on the way to it lets others pass. The group's right is no fault: it is how a service of another account reads a
 * file that is root's. On Windows a mode says nothing, and the rights of folders decide. Reads modes and never changes any.
 */

import { dirname, resolve } from "node:path";

/** Names of settings whose value is a secret: passwords, pass codes, pass phrases and their hashes, tokens. */
const SECRET = /pass|secret|token|credential|private/i;

/** Settings that name a file: what is secret is in that one. */
const FILE = /file$|path$/i;

/**
 * The settings that hold a secret, as `alarms.email.password`; never their values.
 *
 * @param settings the content of a configuration file, of any shape
 */
export function secretsIn(settings: unknown): string[] {
  return found(settings, "");
}

function found(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (typeof part === "string") return part !== "" && isSecret(key, part) ? [at] : [];
    if (key === "headers" && typeof part === "object" && part !== null) {
      return Object.keys(part).length > 0 ? [at] : [];
    }
    return found(part, at);
  });
}

function isSecret(key: string, value: string): boolean {
  if (key === "url") return carriesKey(value);
  return SECRET.test(key) && !FILE.test(key);
}

/** Whoever knows the path of a webhook's address may use it; many have no other key. */
function carriesKey(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { pathname, search, username, password } = new URL(url);
  return pathname !== "/" || search !== "" || username !== "" || password !== "";
}

/** Whether a configuration file holds secrets; false where it cannot be read or is no JSON, which others tell. */
export async function fileHoldsSecrets(file: string): Promise<boolean> {
  try {
    const text = (await Deno.readTextFile(file)).replace(/^\ufeff/, "");
    return secretsIn(JSON.parse(text)).length > 0;
  } catch {
    return false;
  }
}

/**
 * Whether every user of this machine can read a file. Always false on Windows.
 *
 * @throws what the file system throws where there is no such file
 */
export async function isOpenToAll(file: string): Promise<boolean> {
  if (Deno.build.os === "windows") return false;
  const real = await Deno.realPath(file);
  if (!letsOthers(await Deno.stat(real), 0o004)) return false;
  for (let at = real; dirname(at) !== at;) {
    at = dirname(at);
    if (!letsOthers(await Deno.stat(at), 0o001)) return false;
  }
  return true;
}

function letsOthers({ mode }: Deno.FileInfo, right: number): boolean {
  // What is not known is no protection.
  return mode === null || (mode & right) !== 0;
}

/** A setting that names a private key's file. */
interface KeyFile {
  readonly setting: string;
  /** As it is written. */
  readonly file: string;
}

/** The private keys that settings name (`key`, `key_file`), wherever they stand. */
export function keyFilesIn(settings: unknown, path = ""): KeyFile[] {
  if (typeof settings !== "object" || settings === null) return [];
  return Object.entries(settings).flatMap(([key, part]) => {
    const setting = Array.isArray(settings)
      ? `${path}[${key}]`
      : path === ""
      ? key
      : `${path}.${key}`;
    if (typeof part !== "string") return keyFilesIn(part, setting);
    return key === "key" || key === "key_file" ? [{ setting, file: part }] : [];
  });
}

/**
 * What everybody on this machine can read and must not: the configuration where it holds secrets, and private keys that it
 * names. A sentence each that says what to do; none where there is no such file.
 *
 * @param settings the content of the file
 * @param file its absolute path
 */
export async function readableSecrets(settings: unknown, file: string): Promise<string[]> {
  const secrets = secretsIn(settings);
  const sensitive = [
    ...(secrets.length === 0 ? [] : [{ file, holds: `secrets (${secrets.join(", ")})` }]),
    ...keyFilesIn(settings).map((key) => ({
      file: resolve(dirname(file), key.file),
      holds: `a private key (${key.setting})`,
    })),
  ];
  const faults: string[] = [];
  for (const one of sensitive) {
    try {
      const fault = await readableSecretFault(one.file, one.holds);
      if (fault !== undefined) faults.push(fault);
    } catch (error) {
      // Whoever needs the file tells what is wrong with it.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return faults;
}

/**
 * Why a file with a secret in it must not be used, and what to do; undefined where not everybody can read it.
 *
 * @param file absolute path of a file that is there
 * @param holds what is secret in it, in words that follow "which holds"
 */
export async function readableSecretFault(
  file: string,
  holds: string,
): Promise<string | undefined> {
  if (!await isOpenToAll(file)) return undefined;
  return `Everybody on this machine may read ${file}, which holds ${holds}: wanted a file that is closed to others. ` +
    `Say: chmod o-rwx ${file} (then, where a service under an account of its own uses it: dicomforwarder service install)`;
}
