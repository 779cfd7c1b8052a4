/*
 * Whether a request may be looked at: decided from its head alone, before anything else is done with it.
 *
 * Pure. Owns the defence against other sites in the administrator's own browser: a foreign name that has been made to point
 * here (DNS rebinding) shows in Host, a foreign page in Origin and Sec-Fetch-Site. No answer ever carries a CORS header, so
 * that what is refused nowhere else is not readable by another site either.
 */

import { isIP } from "node:net";

/** Where the server is reached. */
export interface Reach {
  /** What it is bound to: an address or a name. */
  readonly host: string;
  /** Names beyond loopback under which people reach it. */
  readonly allowedNames: readonly string[];
}

/** What is told on every answer. Nothing inline, nothing foreign, no frame around it, no copy of API answers kept. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; " +
    "base-uri 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

/** True where only this machine reaches what is bound to it. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^::ffff:/, "");
  return name === "localhost" || name === "::1" ||
    (isIP(name) === 4 && name.startsWith("127."));
}

/** `[::1]:8104` to `::1`; undefined where it is no host with an optional port (RFC 9110 §7.2). */
export function hostName(header: string): string | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::\d{1,5})?$/.exec(header);
  return (parts?.[1] ?? parts?.[2])?.toLowerCase();
}

/**
 * Whether a Host header names this server.
 *
 * The port does not matter: it is the one the browser connected to, which a tunnel changes. Where the server is bound to
 * more than loopback any address is taken, because no address can be made to point elsewhere, as a name can.
 */
export function hostAllowed(header: string | undefined, reach: Reach): boolean {
  const name = header === undefined ? undefined : hostName(header);
  if (name === undefined) return false;
  if (LOOPBACK_NAMES.has(name) || name === reach.host.toLowerCase()) return true;
  if (reach.allowedNames.some((allowed) => allowed.toLowerCase() === name)) return true;
  return !isLoopback(reach.host) && isIP(name) !== 0;
}

/** True where the one who asks is on this machine and says so in Host, which one behind a proxy here does not. */
export function isLocal(peer: string, hostHeader: string): boolean {
  return isLoopback(peer) && LOOPBACK_NAMES.has(hostName(hostHeader) ?? "");
}

/**
 * Why a request comes from a page of another site; undefined where it does not.
 *
 * Without either header it comes from no browser; what is changed then still needs the token.
 */
export function crossSite(headers: Headers): string | undefined {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") {
    return `It comes from a page of another site (Sec-Fetch-Site: ${site.slice(0, 20)}).`;
  }
  const origin = headers.get("origin");
  if (origin === null) return undefined;
  const host = headers.get("host") ?? "";
  const same = ["http://", "https://"].some((scheme) => origin === scheme + host);
  return same ? undefined : "It comes from a page of another site (Origin).";
}
