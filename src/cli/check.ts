/*
 * `check`: is the configuration in order, and what does it come to.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
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
    printJson({ ok: true, config: withoutSecrets(config), warnings });
    return ExitCode.Ok;
  }
  for (const one of warnings) warnLine(`${one}.`);
  printLine(`${config.file ?? "The configuration"} is in order.`);
  printLine();
  printLine(`Receives as   ${config.localAeTitle}, ${describeListening(config)}`);
  printLine(`From          ${whoMaySend(config)}`);
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

/** The configuration as it may be shown. */
function withoutSecrets(config: Config): Config {
  const hidden = (secret: string | null) => secret === null ? null : "(not shown)";
  const passwordHash = hidden(config.web.passwordHash);
  const { tls } = config;
  const destinations = config.destinations.map((one) =>
    one.type !== "dicom" || !one.tls
      ? one
      : { ...one, tls: { ...one.tls, keyPassphrase: hidden(one.tls.keyPassphrase) } }
  );
  return {
    ...config,
    destinations,
    tls: tls === null ? null : { ...tls, keyPassphrase: hidden(tls.keyPassphrase) },
    web: { ...config.web, passwordHash },
  };
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
  return `${callers}, ${hosts}, ${called}`;
}

function describe(destination: DestinationConfig): string {
  if (destination.type === "directory") return `folder ${destination.path}`;
  const { aeTitle, host, port, callingAeTitle, associations } = destination;
  const as = callingAeTitle === "*" ? "under the sender's AE title" : `as ${callingAeTitle}`;
  const how = destination.tls ? " with TLS" : "";
  return `${aeTitle} at ${host} port ${port}${how}, ${as}, up to ${associations} associations`;
}
