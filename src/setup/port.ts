/*
 * Whether the port to listen on can be had: it is tried, and let go of at once.
 *
 * A port that the running forwarder itself holds is told from one that another program holds by the lock on the spool.
 */

import { spoolIsLocked } from "../spool/lock.ts";

/** How a port is. */
export type PortState =
  | { readonly kind: "free" }
  /** Held by the forwarder that runs on these settings now. */
  | { readonly kind: "ours" }
  | { readonly kind: "trouble"; readonly why: string };

/** What the forwarder listens on and keeps its files in, if it runs. */
export interface Running {
  readonly port: number;
  readonly spoolDir: string;
}

/**
 * Tries a port.
 *
 * @param running by the file as it is; undefined where there is none, or it cannot be used
 */
export function portState(host: string, port: number, running: Running | undefined): PortState {
  try {
    Deno.listen({ hostname: host, port }).close();
    return { kind: "free" };
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return takenState(port, running);
    if (error instanceof Deno.errors.PermissionDenied) {
      const why = port < 1024
        ? `This user may not open port ${port}: ports below 1024 take administrator rights. 11112 and 10104 do not.`
        : `The system does not let this user open port ${port}.`;
      return { kind: "trouble", why };
    }
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "trouble", why: `Port ${port} cannot be opened on ${host}: ${reason}.` };
  }
}

function takenState(port: number, running: Running | undefined): PortState {
  const taken = `Port ${port} is in use by another program: the forwarder could not start on it.`;
  if (running?.port !== port) return { kind: "trouble", why: taken };
  try {
    return spoolIsLocked(running.spoolDir) ? { kind: "ours" } : { kind: "trouble", why: taken };
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    const why =
      `Port ${port} is in use. Whether by the forwarder itself cannot be told: this user may not look into ${running.spoolDir}.`;
    return { kind: "trouble", why };
  }
}
