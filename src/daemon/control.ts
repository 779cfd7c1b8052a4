/*
 * What can be seen of the daemon and done to it, put together from the parts that each know some of it.
 *
 * Owns nothing but the answer to whether it is ready.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import type { Control, Person } from "../control/control.ts";
import type { AlarmView, ConnectionResult, Overview, ReloadResult } from "../control/views.ts";

/** Who knows and does what. */
export interface ControlParts {
  readonly daemon: {
    /** In force. */
    readonly config: Config;
    reloadFile(by: Person): Promise<ReloadResult>;
    pause(destination: string, by: Person): boolean;
    resume(destination: string, by: Person): boolean;
    tryNow(destination: string, by: Person): boolean;
  };
  readonly figures: Pick<Control, "overview" | "throughput" | "studies" | "log"> & {
    metrics(): string;
  };
  readonly queue: Pick<Control, "queue" | "item" | "download" | "act">;
  readonly alarms: {
    active(): AlarmView[];
    test(): Promise<ConnectionResult>;
  };
  /** Tries a connection. */
  readonly test: (
    config: Config,
    destination: DestinationConfig,
    signal: AbortSignal,
  ) => Promise<ConnectionResult>;
  /** A configuration without its secrets. */
  readonly shown: (config: Config) => Record<string, unknown>;
}

/** The whole of them. */
export function controlOf(parts: ControlParts): Control {
  const { daemon, figures, queue, alarms } = parts;
  return {
    overview: () => figures.overview(),
    throughput: () => figures.throughput(),
    studies: (query) => figures.studies(query),
    log: (limit) => figures.log(limit),
    metrics: () => figures.metrics(),
    ready: () => readiness(figures.overview()),
    queue: (query) => queue.queue(query),
    item: (name) => queue.item(name),
    download: (name, by) => queue.download(name, by),
    act: (action, selection, by) => queue.act(action, selection, by),
    pause: (destination, by) => Promise.resolve(daemon.pause(destination, by)),
    resume: (destination, by) => Promise.resolve(daemon.resume(destination, by)),
    tryNow: (destination, by) => Promise.resolve(daemon.tryNow(destination, by)),
    test: async (name, signal) => {
      const { config } = daemon;
      const destination = config.destinations.find((one) => one.name === name);
      return destination && await parts.test(config, destination, signal);
    },
    configuration: () => parts.shown(daemon.config),
    reload: (by) => daemon.reloadFile(by),
    alarms: () => alarms.active(),
    testAlarms: () => alarms.test(),
  };
}

/** Ready while it listens and takes new instances: spool writable, disk above the reserve. */
export function readiness(
  { listening, disk }: Pick<Overview, "listening"> & {
    readonly disk: Pick<Overview["disk"], "refuses">;
  },
): { ok: boolean; reasons: string[] } {
  const reasons: string[] = [];
  if (listening.length === 0) reasons.push("It does not listen");
  if (disk.refuses !== null) reasons.push(disk.refuses);
  return { ok: reasons.length === 0, reasons };
}
