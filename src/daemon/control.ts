/*
 * What can be seen of the daemon and done to it, put together from the parts that each know some of it.
 *
 * Owns nothing itself.
 */

import type { Control } from "../control/control.ts";

/** Who knows and does what. */
export interface ControlParts {
  readonly seen: Pick<Control, "overview" | "throughput" | "studies" | "log" | "metrics" | "ready">;
  readonly queue: Pick<Control, "queue" | "item" | "download" | "act">;
  readonly destinations: Pick<Control, "pause" | "resume" | "tryNow" | "test">;
  readonly settings: Pick<Control, "configuration" | "reload">;
  readonly alarms: Pick<Control, "alarms" | "testAlarms">;
}

/** The whole of them. */
export function controlOf({ seen, queue, destinations, settings, alarms }: ControlParts): Control {
  return {
    overview: () => seen.overview(),
    throughput: () => seen.throughput(),
    studies: (query) => seen.studies(query),
    log: (limit) => seen.log(limit),
    metrics: () => seen.metrics(),
    ready: () => seen.ready(),
    queue: (query) => queue.queue(query),
    item: (name) => queue.item(name),
    download: (name) => queue.download(name),
    act: (action, selection, by) => queue.act(action, selection, by),
    pause: (destination, by) => destinations.pause(destination, by),
    resume: (destination, by) => destinations.resume(destination, by),
    tryNow: (destination, by) => destinations.tryNow(destination, by),
    test: (destination, signal) => destinations.test(destination, signal),
    configuration: () => settings.configuration(),
    reload: (by) => settings.reload(by),
    alarms: () => alarms.alarms(),
    testAlarms: () => alarms.testAlarms(),
  };
}
