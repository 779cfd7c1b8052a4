/*
 * The dashboard and the alert rules in docs/ ask for what the program exports, and for nothing else.
 */

import assert from "node:assert/strict";
import { destinationState } from "../../src/control/views.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { ForwarderMetrics, gaugesOf } from "../../src/metrics/forwarder_metrics.ts";
import { readExposition, type ReadFamily } from "../helpers/exposition.ts";

const DOCS = new URL("../../docs/", import.meta.url);

/** One of everything. */
function exported(): Map<string, ReadFamily> {
  const metrics = new ForwarderMetrics();
  metrics.receivedInstances.of("CT1").add();
  metrics.receivedBytes.of("CT1").add(100);
  metrics.refused.of("refused").add();
  metrics.associationsRejected.of("1", "1", "7").add();
  metrics.connectionsDropped.of("rate").add();
  metrics.attempts.of("pacs", "stored").add();
  metrics.delivered.of("pacs", "stored").add();
  metrics.deliveredBytes.of("pacs").add(100);
  metrics.failed.of("pacs", "refused").add();
  metrics.deliveryDuration.of("pacs").observe(0.2);
  metrics.ageAtDelivery.of("pacs").observe(12);
  const gauges = gaugesOf(
    {
      version: "1.2.3",
      started: 1_763_900_000_000,
      now: 1_763_900_060_000,
      associations: 1,
      failed: 3,
      corrupt: 0,
      missing: 0,
      heldForStudy: 0,
      disk: { free: 1e12, reserve: 2e9, refuses: null },
      destinations: [{
        name: "pacs",
        state: "down",
        queued: 2,
        failed: 3,
        held: 1,
        oldest: 1_763_900_000_000,
        sessions: 0,
      }],
      alarms: [{ severity: "critical" }],
    },
    destinationState.options,
    5e7,
  );
  return readExposition(expose([...gauges, ...metrics.families()]));
}

/** Names with the labels that are asked of them in expressions: `name{label="..."}` and `by (label)`. */
function asked(text: string): { names: Set<string>; labels: Map<string, Set<string>> } {
  const names = new Set(text.match(/\b(?:dicomforwarder|process)_[a-z_]+/g));
  const labels = new Map<string, Set<string>>();
  for (const [, name, inside] of text.matchAll(/\b(dicomforwarder_[a-z_]+)\{([^}]*)\}/g)) {
    const of = labels.get(name!) ?? new Set<string>();
    labels.set(name!, of);
    for (const [, label] of inside!.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)) of.add(label!);
  }
  return { names, labels };
}

/** Added by whoever scrapes. */
const BY_PROMETHEUS = new Set(["instance", "job"]);

for (const file of ["grafana-dashboard.json", "prometheus-alerts.yml"]) {
  Deno.test(`every metric and label that docs/${file} asks for is exported`, () => {
    const families = exported();
    const known = new Map<string, Set<string>>();
    for (const { samples } of families.values()) {
      for (const { name, labels } of samples) {
        known.set(name, new Set([...known.get(name) ?? [], ...Object.keys(labels)]));
      }
    }
    let text = Deno.readTextFileSync(new URL(file, DOCS));
    // Escapes of JSON would hide the labels.
    if (file.endsWith(".json")) text = text.replaceAll('\\"', '"');
    const { names, labels } = asked(text);
    assert.ok(names.size >= 8, `only ${names.size} metrics are asked for`);
    for (const name of names) assert.ok(known.has(name), `${name} is not exported`);
    for (const [name, wanted] of labels) {
      for (const label of wanted) {
        if (BY_PROMETHEUS.has(label)) continue;
        assert.ok(known.get(name)?.has(label), `${name} has no label ${label}`);
      }
    }
  });
}

Deno.test("the dashboard shows every metric that is exported", () => {
  const { names } = asked(Deno.readTextFileSync(new URL("grafana-dashboard.json", DOCS)));
  for (const [name, { type }] of exported()) {
    assert.ok(names.has(type === "histogram" ? `${name}_bucket` : name), `${name} is not shown`);
  }
});

Deno.test("the dashboard is JSON, and no two panels have one id or one place", () => {
  const { panels } = JSON.parse(
    Deno.readTextFileSync(new URL("grafana-dashboard.json", DOCS)),
  ) as { panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[] };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { id, gridPos: { x, y, w, h } } of panels) {
    assert.ok(x + w <= 24, `panel ${id} is too wide`);
    for (let at = x; at < x + w; at++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(!taken.has(`${at},${line}`), `panel ${id} lies on another one`);
        taken.add(`${at},${line}`);
      }
    }
  }
});
