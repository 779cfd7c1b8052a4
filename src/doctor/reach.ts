/*
 * The way to a node below DICOM: its name, each of its addresses, and what answers there.
 *
 * Owns the connections it makes. Nothing is sent on them here but, where asked, one ClientHello.
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Connection } from "../ul/transport.ts";
import { duration, type Finding, ok, problem, Rank, unknown, warning } from "./finding.ts";
import { clientHello } from "./greeting.ts";

/** A connection that was made to an address, or why not. */
export interface AddressTry {
  readonly address: string;
  readonly ms: number;
  /** `reset`: it took the connection and threw it away at once. */
  readonly result: "connected" | "refused" | "reset" | "silent" | "unreachable";
  /** The system's words. */
  readonly why: string;
}

/** How a name was looked up. */
export interface Lookup {
  readonly addresses: readonly string[];
  readonly ms: number;
  /** Why there are none; empty where there are. */
  readonly why: string;
}

/** Looks a name up as the system does; an address is its own. */
export async function lookUp(
  host: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Lookup> {
  const began = performance.now();
  const done = (addresses: readonly string[], why: string): Lookup => ({
    addresses,
    ms: performance.now() - began,
    why,
  });
  if (isIP(host) !== 0) return done([host], "");
  try {
    const found = await limited(lookup(host, { all: true, verbatim: true }), timeoutMs, signal);
    if (found === undefined) return done([], `no answer within ${duration(timeoutMs)}`);
    return done([...new Set(found.map(({ address }) => address))], "");
  } catch (error) {
    return done([], reason(error));
  }
}

/** What the name's addresses mean. */
export function judgeLookup(host: string, found: Lookup): Finding | undefined {
  if (isIP(host) !== 0) return undefined;
  if (found.addresses.length === 0) {
    return problem("name", `the host name ${host} is not known: ${found.why}`, {
      text:
        `Correct the host name ${host}, have it entered in the DNS, or give its IP address instead.`,
      rank: Rank.Reaching,
    });
  }
  const text = `${host} is ${found.addresses.join(", ")} (${duration(found.ms)})`;
  return found.ms < 1000 ? ok("name", text) : warning("name", `${text}: that is slow`, {
    text: `Give the IP address of ${host}, or mend the DNS: each association waits for it.`,
    rank: Rank.Comfort,
  });
}

/** Connects to an address and closes at once. */
export async function tryAddress(
  address: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AddressTry> {
  const began = performance.now();
  const done = (result: AddressTry["result"], why = ""): AddressTry => ({
    address,
    ms: performance.now() - began,
    result,
    why,
  });
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    (await Deno.connect({ hostname: address, port, signal: stop })).close();
    return done("connected");
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return done("refused");
    if (error instanceof Deno.errors.ConnectionReset) return done("reset");
    if (stop.aborted) return done("silent", `no answer within ${duration(timeoutMs)}`);
    return done("unreachable", reason(error));
  }
}

/** What the tries mean, each and together. */
export function judgeTries(
  host: string,
  port: number,
  tries: readonly AddressTry[],
): Finding[] {
  const works = tries.filter(({ result }) => result === "connected");
  const told = tries.map((one): Finding => {
    const where = `${one.address} port ${port}`;
    if (one.result === "connected") {
      return ok("connection", `${where} takes connections (${duration(one.ms)})`);
    }
    const text = one.result === "refused"
      ? `${where} refuses: the machine is there, and nothing listens on that port`
      : one.result === "reset"
      ? `${where} takes a connection and resets it at once`
      : one.result === "silent"
      ? `${where} does not answer (${one.why})`
      : `${where} cannot be reached: ${one.why}`;
    if (works.length > 0) return unknown("connection", text);
    return problem("connection", text, {
      text: one.result === "refused"
        ? `Start the PACS on ${host}, or correct its port (${port}).`
        : one.result === "reset"
        ? `Have ${host} let this machine in: a list of allowed addresses, or a firewall between, turns it away.`
        : `Correct the address ${host}, switch the machine on, or let port ${port} through the firewalls between.`,
      rank: Rank.Reaching,
    });
  });
  const first = tries[0];
  const usable = works[0];
  if (first === undefined || usable === undefined || first.result === "connected") return told;
  const family = isIP(first.address) === 6 && isIP(usable.address) === 4
    ? " (IPv6 comes first, and it listens on IPv4 only)"
    : "";
  told.push(warning(
    "connection",
    `the first address of ${host} does not work, another does${family}: each association begins with a failed try of ${
      duration(first.ms)
    }`,
    {
      text: `Set the host to ${usable.address} instead of ${host}.`,
      rank: Rank.Comfort,
    },
  ));
  return told;
}

/** A connection that keeps the first bytes that came over it. */
export class Recorded implements Connection {
  readonly #connection: Connection;
  readonly #ourAddress: string;
  readonly #first: number[] = [];

  /** @param ourAddress of this machine, on this connection */
  constructor(connection: Connection, ourAddress: string) {
    this.#connection = connection;
    this.#ourAddress = ourAddress;
  }

  /** Up to 64. */
  get first(): Uint8Array {
    return Uint8Array.from(this.#first);
  }

  /** The address of this machine that the node sees, but for what translates addresses on the way. */
  get ourAddress(): string {
    return this.#ourAddress;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const got = await this.#connection.read(into);
    if (got !== null && this.#first.length < 64) {
      this.#first.push(...into.subarray(0, Math.min(got, 64 - this.#first.length)));
    }
    return got;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  close(): void {
    this.#connection.close();
  }
}

/**
 * Offers TLS once, and gives the first bytes that come back; none where nothing does in time. Never throws for what the
 * node does.
 */
export async function offerTls(
  address: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: address, port, signal: stop });
  } catch {
    return new Uint8Array(0);
  }
  const close = () => connection.close();
  stop.addEventListener("abort", close);
  try {
    await connection.write(clientHello(crypto.getRandomValues(new Uint8Array(28))));
    const bytes = new Uint8Array(64);
    const got = await connection.read(bytes);
    return bytes.subarray(0, got ?? 0);
  } catch {
    return new Uint8Array(0);
  } finally {
    stop.removeEventListener("abort", close);
    if (!stop.aborted) connection.close();
  }
}

/** The promise's value; undefined where it takes longer or is not waited for any more. */
async function limited<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>();
  const give = () => over.resolve(undefined);
  const timer = setTimeout(give, timeoutMs);
  signal.addEventListener("abort", give);
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", give);
  }
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\(os error \d+\)/, "");
}
