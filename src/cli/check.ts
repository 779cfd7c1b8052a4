/*
 * `check`: is the configuration in order, and what does it come to.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import { redact } from "../config/redact.ts";
import type { SenderConfig } from "../config/access.ts";
import { escapeText } from "../log.ts";
import { lookAtCertificates } from "../doctor/certificates.ts";
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
  const certificates = lookAtCertificates(config, Date.now());
  const broken = certificates.filter(({ level }) => level === "problem");
  if (broken.length > 0) {
    const error = broken.map(({ text }) => text).join("\n");
    if (json) {
      printJson({
        ok: false,
        error,
        faults: broken.map(({ text }) => ({ path: "tls", wanted: text })),
      });
    } else broken.forEach(({ text }) => warnLine(`${text}.`));
    return ExitCode.Usage;
  }
  const warnings = [
    ...warning === undefined ? [] : [warning],
    ...certificates.filter(({ level }) => level === "warning").map(({ text }) => text),
  ];
  if (json) {
    printJson({ ok: true, config: redact(config), warnings });
    return ExitCode.Ok;
  }
  for (const one of warnings) warnLine(`${one}.`);
  printLine(`${config.file ?? "The configuration"} is in order.`);
  printLine();
  printLine(`Receives as   ${config.localAeTitle}, ${describeListening(config)}`);
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

function describeListening({ localHost, localPort, tls }: Config): string {
  const plain = `${localHost} port ${localPort}`;
  if (tls === null) return plain;
  const who = {
    required: "certificate required",
    optional: "certificate optional",
    none: "no certificate asked for",
  }[tls.clientCertificate];
  const secured = `${tls.host} port ${tls.port} with TLS ${tls.minVersion} or later, ${who}`;
  return tls.only ? secured : `${plain}; ${secured}`;
}

function describeWeb({ web }: Config): string {
  if (!web.enabled) return "none";
  const tls = web.tls === null ? "" : ` with TLS ${web.tls.minVersion} or later`;
  const who = web.passwordHash === null
    ? "for this machine, without a password"
    : "with a password";
  return `${web.host} port ${web.port}${tls}, ${who}`;
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
  const how = destination.tls ? " with TLS" : "";
  return `${aeTitle} at ${host} port ${port}${how}, ${as}${user}, up to ${associations} associations`;
}
