/*
 * The service on Windows: what windows_plan.ts lists, done with the system's tools.
 *
 * Owns no state; the service manager and the registry have it. A tool's refusal becomes a sentence with what the tool
 * said.
 */

import {
  type InstallReport,
  SERVICE_NAME,
  type ServiceDefinition,
  ServiceError,
  type ServiceManager,
  type ServiceState,
} from "./definition.ts";
import { type EntriesOf, separateUsedByOthers, usedByOthers } from "./folders.ts";
import { parseConfig, parseQuery, ScError, scErrorOf } from "./sc_output.ts";
import type { RunTool } from "./tool.ts";
import { waitForState, type Waiting } from "./wait.ts";
import {
  ASK_ARGUMENTS,
  configIn,
  installPlan,
  isRemote,
  nssmBeside,
  programIn,
  STARTED_MS,
  type ToolCall,
  uninstallPlan,
} from "./windows_plan.ts";

/** How long a start may take beyond what the wrapper waits, in ms: a cold disk, a virus scanner. */
const START_LIMIT_MS = STARTED_MS + 25_000;
/** How long a stop may take at most, in ms. The wrapper ends by force what takes longer than the configuration says. */
const STOP_LIMIT_MS = 900_000;
/** How long the wrapper may stay after it has said that it stopped, in ms. */
const LEAVING_MS = 10_000;
/** A state that has lasted this long is not one in passing, in ms. */
const SETTLED_MS = 500;

/** What to do where the rights are missing. */
export const NEEDS_ADMINISTRATOR =
  "it needs the rights of an administrator: open the prompt with 'Run as administrator'";

const WHY: Readonly<Record<number, string>> = {
  [ScError.AccessDenied]: NEEDS_ADMINISTRATOR,
  [ScError.NotInstalled]: "the service is not installed: say service install",
  [ScError.Disabled]:
    `it is disabled: set its start type in Services, or say sc config ${SERVICE_NAME} start= delayed-auto`,
  [ScError.InvalidAccount]:
    "the account does not exist, or has a password, which this cannot set: install it without --account, set the account and its password on the service's Log On page in Services, and say service install once more, which gives it its rights",
  [ScError.LogonFailed]:
    "its account may not log on as a service, or the password set for it is wrong: see its Log On page in Services",
  [ScError.MarkedForDeletion]:
    "it is about to be removed: close Services and Task Manager and try again",
};

export interface WindowsServiceOptions {
  readonly run: RunTool;
  readonly pause: Waiting["pause"];
  /** Makes a folder where there is none. */
  readonly makeFolder: (path: string) => Promise<void>;
  /** True where nothing runs from this file any more. */
  readonly isFree: (path: string) => Promise<boolean>;
  readonly isThere: (path: string) => Promise<boolean>;
  readonly entriesOf: EntriesOf;
  /** The program, absolute. */
  readonly program: string;
}

export class WindowsService implements ServiceManager {
  readonly kind = "Windows service";
  readonly #options: WindowsServiceOptions;

  constructor(options: WindowsServiceOptions) {
    this.#options = options;
  }

  async state(): Promise<ServiceState> {
    const seen = await this.#query();
    if (seen.state === "absent") {
      return { ...seen, startType: "", account: "", config: undefined, program: undefined };
    }
    const config = await this.#sc(["qc", SERVICE_NAME], []);
    const { text } = await this.#options.run("reg.exe", ASK_ARGUMENTS);
    return {
      ...seen,
      ...parseConfig(config.text),
      config: configIn(text),
      program: programIn(text),
    };
  }

  async install(definition: ServiceDefinition): Promise<InstallReport> {
    const wrapper = nssmBeside(definition.program);
    if (!await this.#options.isThere(wrapper)) {
      throw new ServiceError(
        `${wrapper} is missing, which runs the program as a service: install with the Setup program, or put nssm.exe there`,
      );
    }
    const found = await this.state();
    const { settings, used } = await separateUsedByOthers(
      definition.settings,
      this.#options.entriesOf,
    );
    const { privateFolders, sharedFolders } = settings;
    const notes = used.map(usedByOthers);
    const done: string[] = [];
    for (const path of [...privateFolders, ...sharedFolders]) {
      if (!isRemote(path)) await this.#options.makeFolder(path);
      else {
        notes.push(
          `${path} stays as it is: whoever keeps it must let this computer's account, or the service's, write there.`,
        );
      }
    }
    const plan = installPlan({ ...definition, settings }, found.state === "absent" ? null : found);
    for (const call of plan) {
      try {
        await this.#do(call);
      } catch (error) {
        if (call.optional !== true || !(error instanceof ServiceError)) throw error;
        notes.push(`${error.message}.`);
        continue;
      }
      if (done.at(-1) !== call.purpose) done.push(call.purpose);
    }
    return { done, notes };
  }

  async uninstall(signal: AbortSignal): Promise<boolean> {
    const there = (await this.state()).state !== "absent";
    if (there) await this.stop(signal);
    for (const call of uninstallPlan()) {
      if (there || call.tool !== "sc.exe") await this.#do(call);
    }
    // The wrapper says that it has stopped a moment before it is gone, and its file cannot be removed until then.
    const wrapper = nssmBeside(this.#options.program);
    for (let waited = 0; waited < LEAVING_MS; waited += 100) {
      if (await this.#options.isFree(wrapper)) break;
      await this.#options.pause(100, signal);
    }
    return there;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { error } = await this.#sc(["start", SERVICE_NAME], [ScError.AlreadyRunning]);
    const waiting = this.#waiting(signal);
    let now = await waitForState(waiting, ["running", "stopped"], START_LIMIT_MS);
    if (now.state === "running" && error !== ScError.AlreadyRunning) {
      // A program that ends at once is RUNNING for an instant before the service is STOPPED.
      await this.#options.pause(SETTLED_MS, signal);
      now = await this.#query();
    }
    if (now.state === "running") return;
    throw new ServiceError(
      `The service did not stay up: it is ${now.state}${
        now.exitCode === undefined || now.exitCode === 0 ? "" : `, exit code ${now.exitCode}`
      }`,
    );
  }

  async stop(signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting(signal);
    // A stop in the middle of a start is answered with RUNNING, which it is not.
    await waitForState(
      waiting,
      ["running", "stopped", "stopping", "waiting to restart", "absent"],
      START_LIMIT_MS,
    );
    await this.#sc(["stop", SERVICE_NAME], [ScError.NotStarted, ScError.CannotAcceptNow]);
    await waitForState(waiting, ["stopped", "absent"], STOP_LIMIT_MS);
  }

  async #query(): Promise<Pick<ServiceState, "state" | "exitCode">> {
    const query = await this.#sc(["query", SERVICE_NAME], [ScError.NotInstalled]);
    if (query.error === ScError.NotInstalled) return { state: "absent", exitCode: undefined };
    const state = parseQuery(query.text);
    if (state !== undefined) return state;
    throw new ServiceError(`sc query ${SERVICE_NAME} gave no state: ${query.text}`);
  }

  #waiting(signal: AbortSignal): Waiting {
    return { look: () => this.#query(), pause: this.#options.pause, signal };
  }

  async #do({ purpose, tool, args, alsoGood = [] }: ToolCall): Promise<void> {
    const { code, text } = await this.#options.run(tool, args);
    const error = tool === "sc.exe" ? scErrorOf(code, text) : code;
    if (error === 0 || alsoGood.includes(error)) return;
    // Numbers mean to sc.exe what they mean to Windows; the other tools have their own.
    const known = tool === "sc.exe" ? WHY[error] : undefined;
    const why = known ?? `${tool} ${args.join(" ")} ended with ${error}: ${text}`;
    throw new ServiceError(`Cannot ${purpose}: ${why}`);
  }

  async #sc(args: readonly string[], good: readonly number[]) {
    const { code, text } = await this.#options.run("sc.exe", args);
    const error = scErrorOf(code, text);
    if (error !== 0 && !good.includes(error)) {
      const why = WHY[error] ?? `sc ${args.join(" ")} ended with ${error}: ${text}`;
      throw new ServiceError(`Cannot ${args[0]} the service: ${why}`);
    }
    return { error, text };
  }
}
