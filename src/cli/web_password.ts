/*
 * `web-password` and `user-password`: set the password of the status page, and that of a user whom senders may bring.
 *
 * Asked for twice on a terminal, without showing it; else one line of the standard input. Only its hash is written, into the
 * configuration file, which otherwise stays as it is. A password on the command line would be seen by every user.
 */

import { dirname } from "node:path";
import { editJson } from "../setup/json_edit.ts";
import { faultsOf } from "../setup/settings.ts";
import { readSettingsFile, saveSettingsFile, SettingsFileError } from "../setup/settings_file.ts";
import { isSettings } from "../config/check.ts";
import {
  hashPassword,
  LONGEST_PASSWORD,
  SHORTEST_PASSWORD,
  wrongLength,
} from "../access/password.ts";
import { ExitCode } from "./exit_code.ts";
import { printLine, warnLine } from "./terminal.ts";

type Settings = Readonly<Record<string, unknown>>;

/** Where the lines come from. */
export interface Typed {
  readonly isTerminal: boolean;
  /** The next line without its end; undefined at the end of the input. `prompt` only on a terminal. */
  line(prompt: string): Promise<string | undefined>;
}

/**
 * Runs `web-password`.
 *
 * @param path of the configuration, absolute
 */
export function webPasswordCommand(path: string, typed: Typed): Promise<ExitCode> {
  return setPassword(path, typed, "New password of the status page: ", (settings, hash) => {
    const web = isSettings(settings.web) ? settings.web : {};
    return { ...settings, web: { ...web, password_hash: hash } };
  });
}

/**
 * Runs `user-password`: a user of `user_identity`, with this passcode from now on, there already or not.
 *
 * @param path of the configuration, absolute
 */
export function userPasswordCommand(path: string, name: string, typed: Typed): Promise<ExitCode> {
  return setPassword(path, typed, "New passcode of the user: ", (settings, hash) => {
    const identity = isSettings(settings.user_identity) ? settings.user_identity : {};
    const users: unknown[] = Array.isArray(identity.users) ? identity.users : [];
    const isOne = (user: unknown) => isSettings(user) && user.name === name;
    const user = { name, password_hash: hash };
    const changed = users.some(isOne)
      ? users.map((one) => isOne(one) ? { ...(one as object), ...user } : one)
      : [...users, user];
    return { ...settings, user_identity: { ...identity, users: changed } };
  });
}

async function setPassword(
  path: string,
  typed: Typed,
  prompt: string,
  change: (settings: Settings, hash: string) => Settings,
): Promise<ExitCode> {
  try {
    const file = await readSettingsFile(path);
    const { content } = file;
    if (content.kind === "none") {
      warnLine(`There is no configuration file ${path}: run setup first.`);
      return ExitCode.Usage;
    }
    if (content.kind === "broken") {
      warnLine(content.why);
      return ExitCode.Usage;
    }
    const password = await askPassword(typed, prompt);
    if (password === undefined) return ExitCode.Usage;
    const changed = change(content.settings, await hashPassword(password));
    const saved = await saveSettingsFile(file, editJson(content.text, changed));
    for (const warning of saved?.warnings ?? []) warnLine(warning);
    printLine(
      `The password is set in ${path}. It counts when the forwarder reloads its configuration, or starts.`,
    );
    const faults = faultsOf(changed, dirname(path));
    if (faults.length > 0) warnLine("Other settings are wrong: run check.");
    return ExitCode.Ok;
  } catch (error) {
    if (!(error instanceof SettingsFileError)) throw error;
    warnLine(error.message);
    return ExitCode.Failed;
  }
}

async function askPassword(typed: Typed, prompt: string): Promise<string | undefined> {
  const password = await typed.line(prompt);
  if (password === undefined) {
    warnLine("No password was given: nothing is changed.");
    return undefined;
  }
  const length = wrongLength(password);
  if (length !== undefined) {
    warnLine(
      `A password of ${length} characters: wanted ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD}. Nothing is changed.`,
    );
    return undefined;
  }
  if (typed.isTerminal && await typed.line("The same again: ") !== password) {
    warnLine("The two are not the same: nothing is changed.");
    return undefined;
  }
  return password;
}

/** The lines of this process's standard input, unseen on a terminal. */
export function standardInput(): Typed {
  const isTerminal = Deno.stdin.isTerminal();
  return { isTerminal, line: (prompt) => isTerminal ? hiddenLine(prompt) : pipedLine() };
}

async function pipedLine(): Promise<string | undefined> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  for (;;) {
    if (await Deno.stdin.read(one) === null) {
      if (bytes.length === 0) return undefined;
      break;
    }
    if (one[0] === 0x0a || bytes.length > 4 * LONGEST_PASSWORD) break;
    bytes.push(one[0]!);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes)).replace(/\r$/, "");
}

/** Nothing typed is shown. Ctrl-C and Ctrl-D end it. */
async function hiddenLine(prompt: string): Promise<string | undefined> {
  const encoder = new TextEncoder();
  Deno.stderr.writeSync(encoder.encode(prompt));
  Deno.stdin.setRaw(true);
  try {
    const decoder = new TextDecoder();
    const piece = new Uint8Array(256);
    let line: string[] = [];
    for (;;) {
      const length = await Deno.stdin.read(piece);
      if (length === null) return undefined;
      for (const char of decoder.decode(piece.subarray(0, length), { stream: true })) {
        if (char === "\r" || char === "\n") return line.join("");
        if (char === "\x03" || char === "\x04") return undefined;
        if (char === "\x7f" || char === "\b") line = line.slice(0, -1);
        else if (char >= " ") line.push(char);
      }
    }
  } finally {
    Deno.stdin.setRaw(false);
    Deno.stderr.writeSync(encoder.encode("\n"));
  }
}
