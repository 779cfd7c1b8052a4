/*
 * The address of the status page, as it is typed on this machine. Pure.
 */

import type { WebConfig } from "../config/load.ts";

/** @param port the one it is served on, where that may be any */
export function pageUrl({ host, tls }: Pick<WebConfig, "host" | "tls">, port: number): string {
  return `${tls === null ? "http" : "https"}://${reachedBy(host)}:${port}/`;
}

/** Where this machine itself reaches what is bound to a host. */
function reachedBy(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
