/*
 * The service on Linux: a systemd unit, the account it runs as and the folders it may write to.
 *
 * Owns three small files below /etc, which `install` writes and `uninstall` removes, and nothing else. The account is made
 * by systemd-sysusers and stays after an uninstall: files on the disk may be its.
 */

import { dirname, join } from "node:path";
import {
  type InstallReport,
  type ServiceDefinition,
  ServiceError,
  type ServiceManager,
  type ServiceSettings,
  type ServiceState,
} from "./definition.ts";
import { entriesOf, separateUsedByOthers, usedByOthers } from "./folders.ts";
import { type Readable, toBeReadable } from "./readable.ts";
import { quoted, systemdUnit, UNIT_NAME } from "./systemd_unit.ts";
import type { RunTool, ToolResult } from "./tool.ts";
import { waitForState, type Waiting } from "./wait.ts";

/** The account it gets where none is named. */
export const LINUX_ACCOUNT = "dicomforwarder";

/** What to do where the rights are missing. */
const NEEDS_ROOT = "it needs the rights of root: say it with sudo";

/** How long a start and a stop may take, in ms; systemd has its own limits below that. */
const LIMIT_MS = 180_000;
/** A program that cannot start ends within this time, in ms: spool and port are had before. */
const STARTED_MS = 3000;

export interface SystemdOptions {
  readonly run: RunTool;
  readonly pause: Waiting["pause"];
  /** Where /etc is; another folder in tests. */
  readonly etc: string;
}

export class SystemdService implements ServiceManager {
  readonly kind = "systemd unit";
  readonly #options: SystemdOptions;

  constructor(options: SystemdOptions) {
    this.#options = options;
  }

  async state(): Promise<ServiceState> {
    const properties = [
      "LoadState",
      "ActiveState",
      "SubState",
      "UnitFileState",
      "User",
      "ExecMainCode",
      "ExecMainStatus",
    ];
    const { code, text } = await this.#options.run("systemctl", [
      "show",
      UNIT_NAME,
      `--property=${properties.join(",")}`,
    ]);
    if (code !== 0) throw new ServiceError(`Cannot ask systemd for ${UNIT_NAME}: ${text}`);
    const unit = await unitText(this.#path("systemd/system", UNIT_NAME));
    return { ...parseShow(text), config: configIn(unit), program: programIn(unit) };
  }

  async install(definition: ServiceDefinition): Promise<InstallReport> {
    const unit = this.#path("systemd/system", UNIT_NAME);
    const account = definition.account ?? /^User=(\S+)$/m.exec(await unitText(unit))?.[1] ??
      LINUX_ACCOUNT;
    const isNew = (await this.state()).state === "absent";
    const done: string[] = [];
    const { settings, used } = await separateUsedByOthers(definition.settings, entriesOf);
    const notes = used.map(usedByOthers);
    const write = async (path: string, text: string) => {
      try {
        await Deno.mkdir(dirname(path), { recursive: true, mode: 0o755 });
        await Deno.writeTextFile(path, text, { mode: 0o644 });
      } catch (error) {
        throw new ServiceError(`Cannot write ${path}: ${reason(error)}`, { cause: error });
      }
      done.push(`write ${path}`);
    };
    if (account === LINUX_ACCOUNT) {
      await write(
        this.#path("sysusers.d", "dicomforwarder.conf"),
        `u ${LINUX_ACCOUNT} - "DICOM Forwarder" / /usr/sbin/nologin\n`,
      );
      await this.#must("make the account", "systemd-sysusers", [
        this.#path("sysusers.d", "dicomforwarder.conf"),
      ]);
      done.push(`make the account ${LINUX_ACCOUNT}`);
    }
    const folders = this.#path("tmpfiles.d", "dicomforwarder.conf");
    const madeBefore = await unitText(folders);
    const theirs = new Set<string>();
    for (const path of settings.sharedFolders) {
      const ours = madeBefore.includes(`d ${quoted(path)} `);
      if (!ours && await entriesOf(path) !== undefined) theirs.add(path);
    }
    const readable = await this.#readable(definition.config);
    if (readable.length > 0 && account !== LINUX_ACCOUNT) {
      const names = readable.map(({ path }) => path).join(", ");
      notes.push(`Not open to everybody: ${names}. See that the account ${account} may read it`);
    }
    const opened = account === LINUX_ACCOUNT ? readable : [];
    await write(folders, tmpfiles(settings, account, theirs) + opened.map(opening).join(""));
    await this.#must("make the folders", "systemd-tmpfiles", ["--create", folders]);
    done.push("make the folders and give them to the account");
    const before = await unitText(unit);
    const text = systemdUnit({ ...definition, account }, { forUser: false });
    // It may have been changed by hand.
    if (before !== "" && before !== text) await write(`${unit}.bak`, before);
    await write(unit, text);
    await this.#must("have systemd read the unit", "systemctl", ["daemon-reload"]);
    if (definition.start === "demand") {
      await this.#must("disable the unit", "systemctl", ["disable", UNIT_NAME]);
    } else if (definition.start !== undefined || isNew) {
      await this.#must("enable the unit", "systemctl", ["enable", UNIT_NAME]);
      done.push("start it with the system");
    }
    return { done, notes };
  }

  async uninstall(signal: AbortSignal): Promise<boolean> {
    const there = (await this.state()).state !== "absent";
    if (there) {
      await this.stop(signal);
      await this.#must("disable the unit", "systemctl", ["disable", UNIT_NAME]);
    }
    for (
      const path of [
        this.#path("systemd/system", UNIT_NAME),
        this.#path("systemd/system", `${UNIT_NAME}.bak`),
        this.#path("tmpfiles.d", "dicomforwarder.conf"),
        this.#path("sysusers.d", "dicomforwarder.conf"),
      ]
    ) {
      try {
        await Deno.remove(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        throw new ServiceError(`Cannot remove ${path}: ${reason(error)}`, { cause: error });
      }
    }
    if (there) await this.#must("have systemd forget the unit", "systemctl", ["daemon-reload"]);
    return there;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#must("start the service", "systemctl", ["start", UNIT_NAME]);
    await this.#options.pause(STARTED_MS, signal);
    const now = await this.state();
    if (now.state !== "running") {
      throw new ServiceError(
        `The service did not stay up: it is ${now.state}, exit code ${
          now.exitCode ?? "unknown"
        }: journalctl -u ${UNIT_NAME} has its words`,
      );
    }
  }

  async stop(signal: AbortSignal): Promise<void> {
    await this.#must("stop the service", "systemctl", ["stop", UNIT_NAME]);
    const look = () => this.state();
    await waitForState({ look, pause: this.#options.pause, signal }, ["stopped"], LIMIT_MS);
  }

  async #readable(config: string): Promise<Readable[]> {
    try {
      return await toBeReadable(config);
    } catch (error) {
      throw new ServiceError(`Cannot look at ${config}: ${reason(error)}`, { cause: error });
    }
  }

  async #must(purpose: string, tool: string, args: readonly string[]): Promise<ToolResult> {
    const result = await this.#options.run(tool, args);
    if (result.code === 0) return result;
    const why = /access denied|permission denied|interactive authentication/i.test(result.text)
      ? NEEDS_ROOT
      : `${tool} ${args.join(" ")} ended with ${result.code}: ${result.text}`;
    throw new ServiceError(`Cannot ${purpose}: ${why}`);
  }

  #path(...parts: string[]): string {
    return join(this.#options.etc, ...parts);
  }
}

/** `systemctl show`: one `Name=value` a line. */
export function parseShow(text: string): Omit<ServiceState, "config" | "program"> {
  const values = new Map(
    text.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const state = ((): ServiceState["state"] => {
    if (values.get("LoadState") === "not-found") return "absent";
    if (values.get("SubState") === "auto-restart") return "waiting to restart";
    switch (values.get("ActiveState")) {
      case "active":
        return "running";
      case "activating":
      case "reloading":
        return "starting";
      case "deactivating":
        return "stopping";
      default:
        return "stopped";
    }
  })();
  const words: Readonly<Record<string, string>> = { enabled: "automatic", disabled: "by hand" };
  const file = values.get("UnitFileState") ?? "";
  // 1 says that it ended by itself; else the status is the number of a signal.
  const ended = values.get("ExecMainCode") === "1";
  const status = ended ? values.get("ExecMainStatus") ?? "" : "";
  return {
    state,
    startType: words[file] ?? file,
    account: values.get("User") ?? "",
    exitCode: status === "" ? undefined : Number(status),
  };
}

/**
 * The folders, and whose they are. What was written by hand as root before becomes the account's.
 *
 * @param theirs shared folders that were there before: the account may write to them beside all who may already
 */
export function tmpfiles(
  settings: Pick<ServiceSettings, "privateFolders" | "sharedFolders">,
  account: string,
  theirs: ReadonlySet<string>,
): string {
  // An account of someone's own need not have a group of its name.
  const group = account === LINUX_ACCOUNT ? account : "-";
  return [
    ...settings.privateFolders.flatMap((path) => [
      `d ${quoted(path)} 0700 ${account} ${group} -`,
      `Z ${quoted(path)} - ${account} ${group} -`,
    ]),
    ...settings.sharedFolders.map((path) =>
      theirs.has(path)
        ? `a+ ${quoted(path)} - - - - u:${account}:rwx,d:u:${account}:rwx`
        : `d ${quoted(path)} 0750 ${account} ${group} -`
    ),
    "",
  ].join("\n");
}

/** The account gets at it by its group, and everybody else but its owner does not. */
function opening({ path, mode }: Readable): string {
  return `z ${quoted(path)} ${mode} - ${LINUX_ACCOUNT} -\n`;
}

/** The unit that is there; empty where there is none. */
async function unitText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new ServiceError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}

/** The configuration that a unit of ours starts the program with. */
function configIn(unit: string): string | undefined {
  const quoted = /^ExecStart=.* --config "((?:[^"\\]|\\.)*)"/m.exec(unit)?.[1];
  return quoted === undefined ? undefined : unquoted(quoted).replaceAll("$$", () => "$");
}

/** The program that a unit of ours starts. */
function programIn(unit: string): string | undefined {
  const quoted = /^ExecStart="((?:[^"\\]|\\.)*)"/m.exec(unit)?.[1];
  return quoted === undefined ? undefined : unquoted(quoted);
}

function unquoted(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1").replaceAll("%%", "%");
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) {
    return NEEDS_ROOT;
  }
  return error instanceof Error ? error.message : String(error);
}
