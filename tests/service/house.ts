/*
 * A Windows with one service manager, as sc.exe shows it: what is asked of it is kept, and states follow each other as the
 * test says.
 */

import type { RunTool } from "../../src/service/tool.ts";
import type { ServiceDefinition } from "../../src/service/definition.ts";

const NUMBERS = {
  STOPPED: 1,
  START_PENDING: 2,
  STOP_PENDING: 3,
  RUNNING: 4,
  PAUSED: 7,
} as const;

export type ScState = keyof typeof NUMBERS;

export class WindowsHouse {
  installed = false;
  account = "NT SERVICE\\DicomForwarder";
  start = "2   AUTO_START  (DELAYED)";
  exitCode = 0;
  config = "C:\\ProgramData\\DICOM Forwarder\\config.json";
  /** States that the next looks see; the last one stays. */
  states: ScState[] = ["STOPPED"];
  /** What comes after a start and a stop. */
  onStart: ScState[] = ["START_PENDING", "RUNNING"];
  onStop: ScState[] = ["STOP_PENDING", "STOPPED"];
  readonly calls: string[] = [];
  /** Answers instead of the usual ones, by the first words of a call. */
  readonly answers = new Map<string, { code: number; text: string }>();

  readonly run: RunTool = (tool, args) => {
    const call = `${tool} ${args.join(" ")}`;
    this.calls.push(call);
    for (const [words, answer] of this.answers) {
      if (call.startsWith(words)) return Promise.resolve(answer);
    }
    if (tool === "sc.exe") return Promise.resolve(this.#sc(args));
    return Promise.resolve({ code: 0, text: args[0] === "query" ? this.#parameters() : "" });
  };

  #parameters(): string {
    return "HKEY_LOCAL_MACHINE\\SYSTEM\\...\\Parameters\n" +
      `    AppParameters    REG_SZ    --config "${this.config}" --as-service\n`;
  }

  #sc([verb]: readonly string[]) {
    if (verb === "create") this.installed = true;
    if (!this.installed) {
      return { code: 1060, text: "[SC] OpenService FAILED 1060:\n\nNo such service." };
    }
    switch (verb) {
      case "query":
        return { code: 0, text: this.#query() };
      case "qc":
        return { code: 0, text: this.#config() };
      case "start":
        this.states = [...this.onStart];
        break;
      case "stop":
        if (this.states[0] === "STOPPED") {
          return { code: 1062, text: "FAILED 1062:\n\nNot started" };
        }
        this.states = [...this.onStop];
        break;
      case "delete":
        this.installed = false;
    }
    return { code: 0, text: "" };
  }

  #query(): string {
    const state = this.states.length > 1 ? this.states.shift()! : this.states[0]!;
    return [
      "SERVICE_NAME: DicomForwarder",
      "        TYPE               : 10  WIN32_OWN_PROCESS",
      `        STATE              : ${NUMBERS[state]}  ${state}`,
      "                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)",
      `        WIN32_EXIT_CODE    : ${this.exitCode === 0 ? "0  (0x0)" : "1066  (0x42a)"}`,
      `        SERVICE_EXIT_CODE  : ${this.exitCode}  (0x${this.exitCode.toString(16)})`,
      "        CHECKPOINT         : 0x0",
      "        WAIT_HINT          : 0x7d0",
    ].join("\n");
  }

  #config(): string {
    return [
      "[SC] QueryServiceConfig SUCCESS",
      "",
      "SERVICE_NAME: DicomForwarder",
      "        TYPE               : 10  WIN32_OWN_PROCESS",
      `        START_TYPE         : ${this.start}`,
      "        ERROR_CONTROL      : 1   NORMAL",
      '        BINARY_PATH_NAME   : "C:\\Program Files\\DICOM Forwarder\\nssm.exe"',
      "        DEPENDENCIES       :",
      `        SERVICE_START_NAME : ${this.account}`,
    ].join("\n");
  }
}

export const DATA = "C:\\ProgramData\\DICOM Forwarder";

/** What the installer asks for. */
export function definition(more: Partial<ServiceDefinition> = {}): ServiceDefinition {
  return {
    program: "C:\\Program Files\\DICOM Forwarder\\dicomforwarder.exe",
    config: `${DATA}\\config.json`,
    settings: {
      ports: [11_112],
      allowedHosts: [],
      stopMs: 20_000,
      logDir: `${DATA}\\logs`,
      privateFolders: [`${DATA}\\logs`, `${DATA}\\spool`],
      sharedFolders: ["D:\\archive"],
    },
    start: undefined,
    account: undefined,
    ...more,
  };
}
