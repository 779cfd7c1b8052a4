/*
 * A Windows service as a list of tool calls. Pure: nothing is run here.
 *
 * The service is nssm.exe, which runs the program, waits for it, starts it again and passes a stop on. nssm reads its
 * settings from the registry; they are written there directly, because its own command line loses the quotes of arguments
 * and shows a window, which stops a script for good, for a verb it does not know.
 */

import { dirname, join } from "node:path/win32";
import {
  DESCRIPTION,
  DISPLAY_NAME,
  FINAL_EXIT_CODES,
  OWN_ACCOUNT,
  SERVICE_NAME,
  type ServiceDefinition,
  type StartType,
  STOP_MARGIN_MS,
} from "./definition.ts";
import { aclName, privateFolder, settingsFolder, sharedFolder } from "./windows_account.ts";

/** One call of a tool. */
export interface ToolCall {
  /** What it is for, in words that follow "cannot". */
  readonly purpose: string;
  readonly tool: "sc.exe" | "reg.exe" | "netsh.exe" | "icacls.exe";
  readonly args: readonly string[];
  /** Exit codes other than 0 that are as good. */
  readonly alsoGood?: readonly number[];
  /** The service is in order without it: a failure is told and the rest is done. */
  readonly optional?: true;
}

/** What is registered already. */
export interface Registered {
  /** As `sc qc` names it: LocalSystem, NT SERVICE\DicomForwarder, DOMAIN\user. */
  readonly account: string;
}

const KEY = `HKLM\\SYSTEM\\CurrentControlSet\\Services\\${SERVICE_NAME}`;
const EVENT_KEY =
  `HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\${SERVICE_NAME}`;

/**
 * A start that has lasted this long counts as one, in ms: until then the service is START_PENDING, and what ends sooner
 * is started again after 2 s, 4 s, 8 s ... The program locks the spool and has the port well before.
 */
export const STARTED_MS = 5000;

/** Pause before a program that ended by itself is started again, in ms. */
const RESTART_MS = 5000;

const START_WORDS: Readonly<Record<StartType, string>> = {
  auto: "auto",
  delayed: "delayed-auto",
  demand: "demand",
};

/** Where the wrapper lies: beside the program. */
export function nssmBeside(program: string): string {
  return join(dirname(program), "nssm.exe");
}

/** What the program is started with. */
export function programArguments(config: string): string {
  return `--config "${config}" --as-service`;
}

/**
 * Values of our own beside the wrapper's: paths in letters that survive being read back. reg.exe answers in the console's
 * old code page, in which `D:\\Röntgen` is other bytes and a path in another script only question marks.
 */
const OUR_CONFIG = "ForwarderConfig";
const OUR_PROGRAM = "ForwarderProgram";

/** Asks the registry what the wrapper starts. */
export const ASK_ARGUMENTS: readonly string[] = ["query", `${KEY}\\Parameters`];

/** The configuration's path, out of the answer to ASK_ARGUMENTS. */
export function configIn(answer: string): string | undefined {
  return ourValue(answer, OUR_CONFIG) ??
    /AppParameters\s+REG_\w+\s+.*--config "([^"]+)"/.exec(answer)?.[1];
}

/** The program's path, out of the answer to ASK_ARGUMENTS. */
export function programIn(answer: string): string | undefined {
  return ourValue(answer, OUR_PROGRAM);
}

function ourValue(answer: string, name: string): string | undefined {
  const value = new RegExp(`^\\s*${name}\\s+REG_SZ\\s+(\\S+)\\s*$`, "m").exec(answer)?.[1];
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    // Changed by hand.
    return undefined;
  }
}

/** True for a folder of another computer. */
export function isRemote(path: string): boolean {
  return /^\\\\(?![?.]\\)|^\\\\\?\\UNC\\/i.test(path);
}

/** All calls that make the service what it should be, in order. `found` is null where there is none yet. */
export function installPlan(definition: ServiceDefinition, found: Registered | null): ToolCall[] {
  const account = definition.account ?? found?.account ?? OWN_ACCOUNT;
  return [
    ...serviceCalls(definition, found),
    ...wrapperCalls(definition),
    ...eventSourceCalls(),
    ...folderCalls(definition, account),
    ...firewallCalls(definition),
  ];
}

function serviceCalls(definition: ServiceDefinition, found: Registered | null): ToolCall[] {
  const { account, start } = definition;
  const binPath = `"${nssmBeside(definition.program)}"`;
  const given = [
    ...(account === undefined && found !== null ? [] : ["obj=", account ?? OWN_ACCOUNT]),
    ...(start === undefined && found !== null ? [] : ["start=", START_WORDS[start ?? "delayed"]]),
  ];
  const sc = (purpose: string, ...args: string[]): ToolCall => ({ purpose, tool: "sc.exe", args });
  return [
    found === null
      ? sc(
        "register the service",
        "create",
        SERVICE_NAME,
        "binPath=",
        binPath,
        "type=",
        "own",
        "DisplayName=",
        DISPLAY_NAME,
        ...given,
      )
      : sc(
        "change the service",
        "config",
        SERVICE_NAME,
        "binPath=",
        binPath,
        "DisplayName=",
        DISPLAY_NAME,
        ...given,
      ),
    sc("describe the service", "description", SERVICE_NAME, DESCRIPTION),
    // For an end of the wrapper itself. The first restart comes after the program has noticed and stopped in order.
    sc(
      "set what happens when the service fails",
      "failure",
      SERVICE_NAME,
      "reset=",
      "86400",
      "actions=",
      "restart/60000/restart/120000/restart/300000",
    ),
    // A stop with an exit code is an answer, not a failure: a wrong configuration is not started again.
    sc("set what counts as a failure", "failureflag", SERVICE_NAME, "0"),
    sc("give the service an identity", "sidtype", SERVICE_NAME, "unrestricted"),
    sc("take rights away that it does not need", "privs", SERVICE_NAME, "SeChangeNotifyPrivilege"),
  ];
}

function wrapperCalls({ program, config, settings }: ServiceDefinition): ToolCall[] {
  const set = (name: string, value: string | number, key = "Parameters"): ToolCall => ({
    purpose: "write the wrapper's settings",
    tool: "reg.exe",
    args: [
      "add",
      `${KEY}\\${key}`,
      ...(name === "" ? ["/ve"] : ["/v", name]),
      "/t",
      typeof value === "number" ? "REG_DWORD" : "REG_SZ",
      "/d",
      String(value),
      "/f",
    ],
  });
  const output = join(settings.logDir, "service.log");
  return [
    set("Application", program),
    set("AppParameters", programArguments(config)),
    set(OUR_CONFIG, encodeURIComponent(config)),
    set(OUR_PROGRAM, encodeURIComponent(program)),
    set("AppDirectory", dirname(program)),
    // From Windows 10 1703 on, this nssm cannot start a program otherwise. Windows then gives the program a console of
    // its own, through which nssm's Ctrl-C still comes.
    set("AppNoConsole", 1),
    set("AppThrottle", STARTED_MS),
    set("AppRestartDelay", RESTART_MS),
    set("AppStopMethodConsole", settings.stopMs + STOP_MARGIN_MS),
    set("AppStdout", output),
    set("AppStderr", output),
    set("AppRotateFiles", 1),
    set("AppRotateBytes", 1_000_000),
    set("", "Restart", "Parameters\\AppExit"),
    // Not after 0: nobody but the wrapper tells a service to stop, and what ends a program by force may give it that code.
    ...FINAL_EXIT_CODES.map((code) => set(String(code), "Exit", "Parameters\\AppExit")),
  ];
}

/** The messages of eventcreate.exe: a text as it is, under the numbers 1 to 1000. */
function eventSourceCalls(): ToolCall[] {
  const set = (name: string, type: string, value: string): ToolCall => ({
    purpose: "register the source of entries in the event log",
    tool: "reg.exe",
    args: ["add", EVENT_KEY, "/v", name, "/t", type, "/d", value, "/f"],
  });
  return [
    set("EventMessageFile", "REG_EXPAND_SZ", "%SystemRoot%\\System32\\EventCreate.exe"),
    set("TypesSupported", "REG_DWORD", "7"),
    set("CustomSource", "REG_DWORD", "1"),
  ];
}

/** Only a folder that is this product's by its name is closed to others: nobody's C:\dicom is. */
function isOwnFolder(path: string): boolean {
  return path.toLowerCase().endsWith(`\\${DISPLAY_NAME.toLowerCase()}`);
}

/** Another computer's folders are its own: it does not know the service's account, and this administrator may have no say there. */
function isHere(path: string): boolean {
  return !isRemote(path);
}

function folderCalls({ config, settings }: ServiceDefinition, account: string): ToolCall[] {
  const name = aclName(account);
  const rights = (args: readonly string[]): ToolCall => ({
    purpose: `set who may use ${args[0]}`,
    tool: "icacls.exe",
    args,
  });
  const home = dirname(config);
  return [
    ...(isOwnFolder(home) ? [rights(settingsFolder(home, name))] : []),
    ...settings.privateFolders.filter(isHere).map((path) => rights(privateFolder(path, name))),
    // A disk without rights of its own (exFAT) takes none, and lets everybody write.
    ...(name === undefined ? [] : settings.sharedFolders.filter(isHere).map((path) => ({
      ...rights(sharedFolder(path, name)),
      optional: true as const,
    }))),
  ];
}

/** One rule: this program, its ports, the hospital's own networks, and the senders that are allowed, where they are listed. */
function firewallCalls({ program, settings }: ServiceDefinition): ToolCall[] {
  // A range of everything is what a rule without addresses means, whatever netsh makes of a prefix of no bits.
  const anyone = settings.allowedHosts.some((each) => each.endsWith("/0"));
  return [removeFirewallRule(), {
    purpose: "open the port in the firewall",
    tool: "netsh.exe",
    args: [
      "advfirewall",
      "firewall",
      "add",
      "rule",
      `name=${DISPLAY_NAME}`,
      "dir=in",
      "action=allow",
      "protocol=TCP",
      `localport=${settings.ports.join(",")}`,
      `program=${program}`,
      "profile=private,domain",
      ...(settings.allowedHosts.length === 0 || anyone
        ? []
        : [`remoteip=${settings.allowedHosts.join(",")}`]),
    ],
  }];
}

function removeFirewallRule(): ToolCall {
  return {
    purpose: "remove the firewall rule",
    tool: "netsh.exe",
    args: ["advfirewall", "firewall", "delete", "rule", `name=${DISPLAY_NAME}`],
    // No rule of that name.
    alsoGood: [1],
  };
}

/** All calls that take away what `install` registered, for a service that has stopped. */
export function uninstallPlan(): ToolCall[] {
  return [
    { purpose: "remove the service", tool: "sc.exe", args: ["delete", SERVICE_NAME] },
    removeFirewallRule(),
    {
      purpose: "remove the source of entries in the event log",
      tool: "reg.exe",
      args: ["delete", EVENT_KEY, "/f"],
      alsoGood: [1],
    },
  ];
}
