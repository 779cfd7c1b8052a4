/*
 * What sc.exe prints, read by its numbers: its words are translated from one Windows to the next. Pure.
 */

import type { ServiceState } from "./definition.ts";

/** Exit codes of sc.exe are Windows' error numbers. */
export const ScError = {
  AccessDenied: 5,
  AlreadyRunning: 1056,
  InvalidAccount: 1057,
  NotInstalled: 1060,
  CannotAcceptNow: 1061,
  NotStarted: 1062,
  Disabled: 1058,
  LogonFailed: 1069,
  MarkedForDeletion: 1072,
  Exists: 1073,
} as const;

const STATES: Readonly<Record<number, ServiceState["state"]>> = {
  1: "stopped",
  2: "starting",
  3: "stopping",
  4: "running",
  5: "waiting to restart",
  6: "waiting to restart",
  7: "waiting to restart",
};

/** The error number that `sc` answers with; it ends with it, and names it in its text. */
export function scErrorOf(code: number, text: string): number {
  if (code === 0) return 0;
  // "[SC] OpenService FAILED 1060:": where an exit code passes through eight bits, the text still has it.
  const told = /\b(\d{1,5}):\s*(?:\r?\n|$)/.exec(text)?.[1];
  return told === undefined ? code : Number(told);
}

/** State and exit code out of `sc query`; undefined where the text has none. */
export function parseQuery(
  text: string,
): Pick<ServiceState, "state" | "exitCode"> | undefined {
  const state = STATES[Number(/:\s+(\d)\s+[A-Z_]+\s*$/m.exec(stateLines(text))?.[1])];
  if (state === undefined) return undefined;
  // "WIN32_EXIT_CODE : 1066 (0x42a)" says that the next line has the program's own.
  const codes = [...text.matchAll(/:\s+(\d+)\s+\(0x[0-9a-f]+\)/gi)].map((match) =>
    Number(match[1])
  );
  const [win32, own] = codes;
  // 1077 says that it has not been started since the machine was.
  const exitCode = win32 === undefined || win32 === 1077 ? undefined : win32 === 1066 ? own : win32;
  return { state, exitCode };
}

/** Without the line of the service's type, which has the same form: `TYPE : 10 WIN32_OWN_PROCESS`. */
function stateLines(text: string): string {
  return text.split("\n").filter((line) => !/WIN32|PROCESS|DRIVER/.test(line)).join("\n");
}

/** Start type and account out of `sc qc`, in the words of `sc`; empty where the text has none. */
export function parseConfig(text: string): { startType: string; account: string } {
  const start = /:\s+[0-4]\s+((?:AUTO|DEMAND|BOOT|SYSTEM)_START|DISABLED)(\s+\(DELAYED\))?/.exec(
    text,
  );
  const words = { AUTO_START: "automatic", DEMAND_START: "by hand", DISABLED: "disabled" };
  const known = words[start?.[1] as keyof typeof words] ?? start?.[1]?.toLowerCase() ?? "";
  const lines = text.trimEnd().split("\n");
  // The account is the last value, below the dependencies.
  const account = /^\s*[^:]+:\s*(\S.*?)\s*$/.exec(lines[lines.length - 1] ?? "")?.[1] ?? "";
  return { startType: start?.[2] === undefined ? known : `${known}, delayed`, account };
}
