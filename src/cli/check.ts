/*
 * `check`: is the configuration in order, and what does it come to.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import { redact } from "../config/redact.ts";
import type { SenderConfig } from "../config/access.ts";
import { escapeText } from "../log.ts";
import { SpoolError } from "../spool/version.ts";
import { checkVolume } from "../spool/volume_probe.ts";
import { ExitCode } from "./exit_code.ts";
import { formatBytes, printJson, printLine, warnLine } from "./terminal.ts";

/** Runs `check` on a configuration that has loaded: prints what it means, or why its spool cannot be where it is. */
export function checkCommand(config: Config, json: boolean): ExitCode {
  let warning: string | undefined;
  try {
    warning = checkVolume(config.spoolDir, config.allowUnsafeSpoolVolume);
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    const { message } = error;
    if (json) {
      printJson({ ok: false, error: message, faults: [{ path: "spool_dir", wanted: message }] });
    } else warnLine(message);
    return ExitCode.Usage;
  }
  if (json) {
    const warnings = warning === undefined ? [] : [warning];
    printJson({ ok: true, config: redact(config), warnings });
    return ExitCode.Ok;
  }
  if (warning !== undefined) warnLine(`${warning}.`);
  printLine(`${config.file ?? "The configuration"} is in order.`);
  printLine();
  printLine(`Receives as   ${config.localAeTitle}, ${config.localHost} port ${config.localPort}`);
  printLine(`From          ${whoMaySend(config)}`);
  for (const sender of config.senders) printLine(`              ${describeSender(sender)}`);
  printLine(`At most       ${limits(config)}`);
  printLine(`Spool         ${config.spoolDir}`);
  printLine(`Logs          ${config.logDir}, kept for ${config.logRetentionDays} days`);
  printLine(`Keeps free    ${formatBytes(config.minimumFreeSpace)}`);
  for (const destination of config.destinations) {
    printLine(`Forwards to   ${destination.name}: ${describe(destination)}`);
  }
  printLine(
    `Which         ${
      config.routes.length === 0
        ? "everything, to all of them"
        : `by ${config.routes.length} routes, the first that matches`
    }`,
  );
  printLine(
    `When          ${
      config.forwardImmediately
        ? "at once"
        : `when a study has been quiet for ${config.studyQuietMs / 1000} s`
    }`,
  );
  printLine(`Status page   ${describeWeb(config)}`);
  return ExitCode.Ok;
}

function describeWeb({ web }: Config): string {
  if (!web.enabled) return "none";
  return `${web.host} port ${web.port}, ${
    web.passwordHash === null ? "for this machine, without a password" : "with a password"
  }`;
}

function whoMaySend(config: Config): string {
  const callers = config.allowedCallingAeTitles.join(", ") || "any AE title";
  const hosts = config.allowedHosts.join(", ") || "any address";
  const called = config.requireCalledAeTitle
    ? `calling us ${config.localAeTitle}`
    : "whatever they call us";
  const { required, users } = config.userIdentity;
  const who = required
    ? `, as one of ${users.length} users`
    : users.length > 0
    ? `, perhaps as one of ${users.length} users`
    : "";
  const listed = config.senders.length > 0 ? ", and listed in senders:" : "";
  return `${callers}, ${hosts}, ${called}${who}${listed}`;
}

function describeSender({ aeTitle, addresses, calledAeTitles, user }: SenderConfig): string {
  const called = calledAeTitles === null ? "" : `, calling ${calledAeTitles.join(" or ")}`;
  const as = user === null ? "" : `, as user ${escapeText(user, 64)}`;
  return `${aeTitle} from ${addresses.join(", ") || "any address"}${called}${as}`;
}

function limits(config: Config): string {
  const { perHost, all } = config.connectionRate;
  const each = perHost === 0 ? "any number of" : `${perHost}`;
  const together = all === 0 ? "any number" : `${all}`;
  return `${config.maxAssociations} associations, ${config.maxAssociationsPerHost} from one address; ` +
    `${each} connections a minute from one address, ${together} in all (10 times from known senders)`;
}

function describe(destination: DestinationConfig): string {
  if (destination.type === "directory") return `folder ${destination.path}`;
  const { aeTitle, host, port, callingAeTitle, associations, userIdentity } = destination;
  const as = callingAeTitle === "*" ? "under the sender's AE title" : `as ${callingAeTitle}`;
  const user = userIdentity === null ? "" : `, user ${escapeText(userIdentity.username, 64)}`;
  return `${aeTitle} at ${host} port ${port}, ${as}${user}, up to ${associations} associations`;
}
