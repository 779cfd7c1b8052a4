/*
 * Whether modalities can reach the forwarder: the port, an echo to ourselves, the service, the firewall.
 *
 * What only other rooms know (who holds the port, what the service manager and the firewall say) is handed in. The echo
 * goes to this machine alone, under our own titles.
 */

import type { Config } from "../config/load.ts";
import type { ServerTlsConfig } from "../config/tls.ts";
import { testConnection } from "../dimse/try_connection.ts";
import { type Finding, ok, problem, Rank, type Tell, unknown, warning } from "./finding.ts";
import { recognise } from "./greeting.ts";
import { offerTls } from "./reach.ts";

/** How the port is: as `setup` finds out. */
export type PortState =
  | { readonly kind: "free" }
  | { readonly kind: "ours" }
  | { readonly kind: "trouble"; readonly why: string };

/** What the service manager says; undefined where there is none that can be asked. */
export interface ServiceFacts {
  readonly state: string;
  /** The configuration it is started with, where that is known. */
  readonly config: string | undefined;
}

/** What the firewall says: a rule of ours for a port, none, or that nobody knows. */
export type FirewallFacts =
  | { readonly kind: "rule"; readonly text: string }
  | { readonly kind: "no-rule" }
  | { readonly kind: "unknown"; readonly why: string };

/** What is handed in. */
export interface Surroundings {
  /** Whether a forwarder runs on this spool; "unknown" where this user may not look. */
  running(): boolean | "unknown";
  port(): PortState;
  service(): Promise<ServiceFacts | undefined>;
  firewall(): Promise<FirewallFacts>;
}

/** Time-outs of the echo to ourselves, in ms. */
const TIMEOUTS = { connectMs: 5000, associationMs: 10_000, responseMs: 10_000, releaseMs: 5000 };

/** Looks at everything that stands between a modality and the forwarder on this machine. */
export async function probeReceiving(
  config: Config,
  around: Surroundings,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const running = around.running();
  if (config.tls?.only !== true) {
    const port = config.localPort === 0 ? undefined : around.port();
    tell(judgePort(config, port, running));
    if (port?.kind === "ours") tell(await echoToOurselves(config, signal));
  }
  if (config.tls !== null && config.tls.port !== 0 && running === true) {
    tell(await judgeTlsPort(config.tls, signal));
  }
  tell(judgeService(await around.service(), running, config.file));
  tell(judgeFirewall(await around.firewall(), config.localPort, Deno.build.os));
}

/** What the port's state means. */
export function judgePort(
  { localHost, localPort, localAeTitle }: Config,
  port: PortState | undefined,
  running: boolean | "unknown",
): Finding {
  if (port === undefined) {
    return unknown("port", "local_port is 0: the forwarder takes any free port, and says which");
  }
  if (port.kind === "ours") return ok("port", `the forwarder listens on port ${localPort}`);
  if (port.kind === "trouble") {
    return problem("port", port.why.replace(/\.$/, ""), {
      text:
        `Stop the program that holds port ${localPort}, or set local_port (and the modalities) to another one.`,
      rank: Rank.Receiving,
    });
  }
  if (running === true) {
    return problem(
      "port",
      `the forwarder runs, and nothing listens on ${localHost} port ${localPort}`,
      {
        text:
          "Restart the forwarder: it was started with another local_port, or is still reading its spool.",
        rank: Rank.Receiving,
      },
    );
  }
  return warning("port", `port ${localPort} is free: no forwarder listens on it`, {
    text:
      `Start the forwarder: until then modalities that call ${localAeTitle} on port ${localPort} are refused.`,
    rank: Rank.Receiving,
  });
}

/** Whether our TLS port speaks TLS. An association is not asked for: we may have no certificate that it takes. */
async function judgeTlsPort(
  { host, port }: ServerTlsConfig,
  signal: AbortSignal,
): Promise<Finding> {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const answer = await offerTls(address, port, TIMEOUTS.connectMs, signal);
  if (recognise(answer) === "tls") {
    return ok("tls port", `the forwarder speaks TLS on port ${port}`);
  }
  return problem("tls port", `nothing speaks TLS on ${host} port ${port}`, {
    text: "Restart the forwarder: it was started with another tls.port, or its log says why not.",
    rank: Rank.Receiving,
  });
}

async function echoToOurselves(config: Config, signal: AbortSignal): Promise<Finding> {
  const { localHost, localPort, localAeTitle } = config;
  const host = localHost === "0.0.0.0" ? "127.0.0.1" : localHost === "::" ? "::1" : localHost;
  const node = { host, port: localPort, aeTitle: localAeTitle, callingAeTitle: localAeTitle };
  const result = await testConnection("this forwarder", node, TIMEOUTS, signal);
  const last = result.steps.at(-1);
  if (result.ok) {
    const ms = result.steps.reduce((sum, step) => sum + step.ms, 0);
    return ok("self", `it answers a C-ECHO as ${localAeTitle}, within ${ms} ms`);
  }
  // A list of senders that we are not on is what it is for.
  const listed = config.allowedCallingAeTitles.length > 0 || config.allowedHosts.length > 0 ||
    config.senders.length > 0 || config.userIdentity.required;
  if (listed && last?.step === "association") {
    return ok("self", "it answers, and rejects this machine as one that is not on its lists");
  }
  return problem("self", `it does not answer a C-ECHO: ${(last?.text ?? "").replace(/\.$/, "")}`, {
    text: "Look at the end of the forwarder's log, and restart it.",
    rank: Rank.Receiving,
  });
}

/** What the service manager's answer means. */
export function judgeService(
  service: ServiceFacts | undefined,
  running: boolean | "unknown",
  configFile: string | null,
): Finding {
  if (service === undefined) {
    return unknown("service", "there is no service manager that can be asked here");
  }
  const { state, config } = service;
  if (state === "absent") {
    return running === true
      ? warning("service", "it runs, but not as a service: it will not start with this machine", {
        text: "Say service install, so that the forwarder starts with this machine.",
        rank: Rank.Comfort,
      })
      : unknown("service", "it is not installed as a service (service install does that)");
  }
  if (config !== undefined && configFile !== null && config !== configFile) {
    return warning("service", `the service uses another configuration, ${config}`, {
      text: `Say doctor --config ${config}, or service install with this configuration.`,
      rank: Rank.Configuration,
    });
  }
  if (state === "running") return ok("service", "the service is running");
  return problem("service", `the service is ${state}`, {
    text: "Say service start. Where it stops again, service status and the end of the log say why.",
    rank: Rank.Receiving,
  });
}

/** What the firewall's answer means. */
export function judgeFirewall(
  facts: FirewallFacts,
  port: number,
  system: typeof Deno.build.os,
): Finding {
  if (facts.kind === "unknown") return unknown("firewall", facts.why);
  const change = {
    text: system === "windows"
      ? `Let port ${port} in: say service install as an administrator, which sets the rule.`
      : `Let TCP port ${port} in.`,
    rank: Rank.Receiving,
  };
  if (facts.kind === "no-rule") {
    return warning("firewall", "it has no rule for the forwarder", change);
  }
  return new RegExp(`(?<!\\d)${port}(?!\\d)`).test(facts.text)
    ? ok("firewall", `its rule for the forwarder lets port ${port} in`)
    : warning("firewall", `its rule for the forwarder is for another port than ${port}`, change);
}
