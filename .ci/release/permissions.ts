/*
 * What the program may do, and with how much memory, as the flags of the runtime: the one place that says it. `compile`
 * builds them into the executable, the `start` and `demo` tasks in deno.json repeat them, and a test holds the three
 * together.
 *
 * It never grants more than the program's own code asks for: no library in the process can start a program, open a
 * dynamic library, fetch code or read the environment because of what stands here. A flag that is missing shows as a
 * "NotCapable" error that names it.
 */

/** The systems that the program is built for. */
export type System = "windows" | "linux" | "darwin";

/** Granted on every system; nobody is there to be asked, so what is not granted is refused. */
const EVERYWHERE = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-sys=statfs",
  "--deny-ffi",
  // Run from source, it could import from a list of well-known hosts; `--deny-import` without a host denies none.
  "--no-remote",
  // No permission: how much memory, in MB, what has just been allocated may take. The runtime's own limit makes the program
  // a tenth larger under load and no faster.
  "--v8-flags=--max-semi-space-size=8",
] as const;

/** What of the environment the program reads: how the terminal is. */
const ENVIRONMENT = ["NO_COLOR", "NODE_DISABLE_COLORS", "TERM"];

/** On Windows also where the installed configuration is, and by which terminal the wizard's symbols are shown. */
const WINDOWS_ENVIRONMENT = [
  "ProgramData",
  "CI",
  "ConEmuTask",
  "TERMINAL_EMULATOR",
  "TERMINUS_SUBLIME",
  "TERM_PROGRAM",
  "WT_SESSION",
];

/** The programs that control a service and what belongs to it: the only ones that may be started. */
const SERVICE_TOOLS: Readonly<Record<System, readonly string[]>> = {
  windows: ["sc.exe", "reg.exe", "netsh.exe", "icacls.exe", "eventcreate.exe"],
  linux: ["systemctl", "systemd-sysusers", "systemd-tmpfiles"],
  darwin: [],
};

/**
 * The runtime remarks on each tool that is not there ("Failed to resolve ... for allow-run") at every start. A system
 * without systemd is no reason to; errors are printed all the same. A compiled program keeps the flag it was built with.
 */
const WITHOUT_REMARKS = "--quiet";

/** The flags of the program compiled for a system. */
export function permissionFlags(system: System): string[] {
  const more = system === "windows" ? WINDOWS_ENVIRONMENT : [];
  return [WITHOUT_REMARKS, ...flags(more, SERVICE_TOOLS[system])];
}

/** The flags of the program run from its source, by tasks that are the same on every system. */
export function sourceFlags(): string[] {
  return [WITHOUT_REMARKS, ...flags(WINDOWS_ENVIRONMENT, Object.values(SERVICE_TOOLS).flat())];
}

/** The flags of the demonstration, which asks nothing and has no service to control. */
export function demoFlags(): string[] {
  return flags([], []);
}

function flags(moreEnvironment: readonly string[], tools: readonly string[]): string[] {
  return [
    ...EVERYWHERE,
    `--allow-env=${[...ENVIRONMENT, ...moreEnvironment].join(",")}`,
    ...(tools.length === 0 ? [] : [`--allow-run=${tools.join(",")}`]),
  ];
}
