/*
 * The systemd unit, as text. Pure.
 *
 * The unit lets the program do what it is for and little else. Missing on purpose: MemoryDenyWriteExecute, for the program's
 * runtime compiles JavaScript to machine code as it runs; PrivateUsers, without which a kernel that has user namespaces
 * switched off would not start it; IPAddressDeny, for destinations have names and may be changed while it runs.
 */

import {
  DESCRIPTION,
  FINAL_EXIT_CODES,
  type ServiceDefinition,
  STOP_MARGIN_MS,
} from "./definition.ts";

export const UNIT_NAME = "dicomforwarder.service";

/** Ports below this one need a right of their own. */
const FIRST_FREE_PORT = 1024;

export interface UnitOptions {
  /** For a user's own systemd: no account, no change of what the user may do. */
  readonly forUser: boolean;
}

/** The text of the unit. */
export function systemdUnit(definition: ServiceDefinition, { forUser }: UnitOptions): string {
  const { program, config, settings, account } = definition;
  const sections: [string, string[]][] = [
    ["Unit", [
      `Description=${DESCRIPTION}`,
      "Documentation=https://www.dicomstandard.org/current",
      ...(forUser ? [] : ["Wants=network-online.target", "After=network-online.target"]),
      "StartLimitIntervalSec=0",
    ]],
    ["Service", [
      "Type=exec",
      `ExecStart=${quoted(program)} --config ${argument(config)} --as-service`,
      "ExecReload=/bin/kill -HUP $MAINPID",
      "Restart=on-failure",
      "RestartSec=5",
      "RestartSteps=6",
      "RestartMaxDelaySec=300",
      `RestartPreventExitStatus=${FINAL_EXIT_CODES.join(" ")}`,
      `TimeoutStopSec=${Math.ceil((settings.stopMs + STOP_MARGIN_MS) / 1000)}`,
      "LimitNOFILE=65536",
      "UMask=0077",
      ...(forUser ? [] : [`User=${account ?? ""}`, ...hardening(definition)]),
    ]],
    ["Install", [`WantedBy=${forUser ? "default.target" : "multi-user.target"}`]],
  ];
  const note = forUser
    ? ""
    : `# Written by \`service install\` and set-up. Changes of your own: systemctl edit ${UNIT_NAME}\n`;
  return note + sections.map(([name, lines]) => `[${name}]\n${lines.join("\n")}\n`).join("\n");
}

/** Where people's own files are: ProtectHome is about these. */
const HOMES = ["/home", "/root", "/run/user"];

function hardening({ program, config, settings }: ServiceDefinition): string[] {
  const capability = settings.ports.some((port) => port < FIRST_FREE_PORT)
    ? "CAP_NET_BIND_SERVICE"
    : "";
  const writable = [...new Set([...settings.privateFolders, ...settings.sharedFolders])];
  const inHome = [program, config, ...writable].some((path) =>
    HOMES.some((home) => path === home || path.startsWith(`${home}/`))
  );
  return [
    `AmbientCapabilities=${capability}`,
    `CapabilityBoundingSet=${capability}`,
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    `ProtectHome=${inHome ? "read-only" : "yes"}`,
    `ReadWritePaths=${writable.map(quoted).join(" ")}`,
    // What it may write to it may not run.
    `NoExecPaths=${writable.map(quoted).join(" ")}`,
    "PrivateMounts=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectHostname=yes",
    "ProtectClock=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
  ];
}

/** A path as systemd reads it: in quotes, with specifiers and escapes taken literally. */
export function quoted(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")}"`;
}

/** The same as an argument of a command, where a dollar would begin a variable. */
function argument(path: string): string {
  return quoted(path).replaceAll("$", () => "$$");
}
