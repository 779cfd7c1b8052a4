/*
 * What is measured: a program that receives, and perhaps forwards, as it is seen from outside.
 */

import type { ProcessFigures } from "./process_tree.ts";

/** A running program under test. */
export interface Subject {
  /** The port it listens on. */
  readonly port: number;
  readonly aeTitle: string;
  /** What it has used since it was started. */
  figures(): ProcessFigures;
  /**
   * Instances it keeps now.
   *
   * @throws where it has put any aside
   */
  kept(): number | Promise<number>;
  /**
   * Waits until it has forwarded all it has, or returns undefined where it does not tell: its destinations do then.
   *
   * @returns when that was, in ms since 1970
   */
  forwarded?(): Promise<number>;
  /** Stops it in order. */
  stop(): Promise<void>;
}

/** Starts a program in a folder of its own, forwarding to ports of this machine where there are any. */
export type Start = (home: string, destinations: readonly number[]) => Promise<Subject>;

/** How long a program may take to start, or to stop, in ms. */
export const PATIENCE_MS = 60_000;

/** Waits until something listens on a port of 127.0.0.1. */
export async function listens(port: number, what: string): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      if (Date.now() > deadline) throw new Error(`${what} does not listen on ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ends a child and waits for its end; one that does not heed a signal is killed. */
export async function end(child: Deno.ChildProcess, signal: Deno.Signal): Promise<number> {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself; its status tells how.
  }
  const timer = setTimeout(() => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended at the last moment.
    }
  }, PATIENCE_MS);
  const { code } = await child.status;
  clearTimeout(timer);
  return code;
}

/** A port of 127.0.0.1 that nothing listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    return listener.addr.port;
  } finally {
    listener.close();
  }
}
