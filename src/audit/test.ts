/*
 * One message to the audit server, to see whether it takes it.
 */

import type { AuditConfig } from "../config/audit.ts";
import type { ConnectionResult } from "../control/views.ts";
import { configurationChanged } from "./events.ts";
import { auditXml } from "./message.ts";
import { syslogMessage } from "./syslog.ts";
import { AuditSendError, sendMessages } from "./transport.ts";

const WORDS = {
  udp: "sent; over UDP nobody answers, so look for it at the server",
  taken: "the server took the message and closed the connection in order",
  unanswered: "the message was sent and the server did not close the connection: look for it there",
} as const;

/**
 * Sends a test message: a Security Alert of the type Use of Restricted Function.
 *
 * @param at ms since 1970
 */
export async function testAudit(
  config: AuditConfig | null,
  aeTitle: string,
  at: number,
  signal: AbortSignal,
): Promise<ConnectionResult> {
  if (config === null) {
    const lines = ["There is no audit trail: audit is not in the configuration"];
    return { ok: false, lines, duration: 0 };
  }
  const began = performance.now();
  const us = { aeTitle, process: Deno.pid, host: "" };
  const what = "Test of the audit trail";
  const message = configurationChanged({ by: "cli", what, kind: "function", ok: true }, us, at);
  const { site, enterpriseSiteId } = config;
  const xml = auditXml(message, { site: site ?? aeTitle, enterpriseSiteId });
  const sender = { host: "", application: "dicomforwarder", process: Deno.pid };
  const where = `${config.host}, port ${config.port} (${config.protocol})`;
  try {
    const line = syslogMessage(xml, sender, at, "notice");
    const result = await sendMessages(config, [line], signal);
    return {
      ok: true,
      lines: [`${where}: ${config.protocol === "udp" ? WORDS.udp : WORDS[result]}`],
      duration: performance.now() - began,
    };
  } catch (error) {
    if (!(error instanceof AuditSendError)) throw error;
    return { ok: false, lines: [error.message], duration: performance.now() - began };
  }
}
