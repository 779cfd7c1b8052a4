/*
 * Prometheus' text exposition format, written by prom-client's registry.
 *
 * The library is loaded when somebody asks for the first time: it brings Node's HTTP client and more along, which a forwarder
 * that nobody scrapes need not carry. It never sees an instance; counting is `family.ts`.
 */

import type { Metric } from "prom-client";
import type { Family } from "./family.ts";

/** Of the answer to a scrape. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All families as one text. */
export async function expose(families: Iterable<Family>): Promise<string> {
  const { Registry } = await import("prom-client");
  const registry = new Registry();
  for (const family of families) {
    const { name, help, type } = family;
    const shown = {
      name,
      help,
      type,
      // A registry asks each of its metrics for no more than this; its types know its own classes alone.
      get: () => Promise.resolve({ name, help, type, values: family.samples() }),
    };
    registry.registerMetric(shown as unknown as Metric);
  }
  return await registry.metrics();
}
