/* What another configuration changes, and what each change needs: by table. */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import { planReload } from "../../src/daemon/plan_reload.ts";

type Settings = Record<string, unknown>;

const PACS = { name: "pacs", host: "10.0.0.1", port: 104, ae_title: "PACS" };
const COPY = { type: "directory", name: "copy", path: "/srv/copy" };
const BASE: Settings = { local_port: 11112, destinations: [PACS, COPY] };

function plan(wanted: Settings, old: Settings = BASE) {
  return planReload(configFrom(old, "/etc/d"), configFrom(wanted, "/etc/d"));
}

const CASES: readonly {
  readonly name: string;
  readonly change: Settings;
  readonly lines: readonly (string | RegExp)[];
  readonly destinations?: Record<string, "kept" | "added" | "changed">;
  readonly removed?: readonly string[];
  readonly listen?: { host: string; port: number };
  readonly atNextStart?: readonly string[];
}[] = [
  { name: "nothing", change: {}, lines: [] },
  {
    name: "another order of the destinations",
    change: { destinations: [COPY, PACS] },
    lines: [],
    destinations: { copy: "kept", pacs: "kept" },
  },
  {
    name: "a host",
    change: { destinations: [{ ...PACS, host: "10.0.0.2" }, COPY] },
    lines: ["destination pacs: changed (host: 10.0.0.2, was 10.0.0.1)"],
    destinations: { pacs: "changed", copy: "kept" },
  },
  {
    name: "a time-out of a destination",
    change: { destinations: [{ ...PACS, timeouts: { connect: 3 } }, COPY] },
    lines: ["destination pacs: changed (timeouts)"],
    destinations: { pacs: "changed", copy: "kept" },
  },
  {
    name: "another kind under the same name",
    change: { destinations: [{ ...COPY, name: "pacs" }, COPY] },
    lines: ["destination pacs: changed (type: directory, was dicom)"],
    destinations: { pacs: "changed", copy: "kept" },
  },
  {
    name: "a destination more and one less",
    change: { destinations: [PACS, { ...PACS, name: "new" }] },
    lines: ["destination new: added", /^destination copy: removed; .*failed\/copy/],
    destinations: { pacs: "kept", new: "added" },
    removed: ["copy"],
  },
  {
    name: "our AE title, by which destinations are called, too",
    change: { local_ae_title: "OTHER" },
    lines: [
      "local_ae_title: OTHER, was DICOMFORWARDER",
      "destination pacs: changed (calling_ae_title: OTHER, was DICOMFORWARDER)",
    ],
    destinations: { pacs: "changed", copy: "kept" },
  },
  {
    name: "what destinations tell of patients",
    change: { log_patient_info: false },
    lines: ["log_patient_info: false, was true"],
    destinations: { pacs: "changed", copy: "changed" },
  },
  {
    name: "tries, for every destination that says nothing of its own",
    change: { retry_attempts: 9 },
    lines: [
      "destination pacs: changed (retry_attempts: 9, was 3)",
      "destination copy: changed (retry_attempts: 9, was 3)",
    ],
    destinations: { pacs: "changed", copy: "changed" },
  },
  {
    name: "the port",
    change: { local_port: 104 },
    lines: ["local_port: 104, was 11112"],
    listen: { host: "0.0.0.0", port: 104 },
  },
  {
    name: "the address listened on",
    change: { local_host: "127.0.0.1" },
    lines: ["local_host: 127.0.0.1, was 0.0.0.0"],
    listen: { host: "127.0.0.1", port: 11112 },
  },
  {
    name: "folders, which have to wait",
    change: { spool_dir: "/a", log_dir: "/b", allow_unsafe_spool_volume: true },
    lines: [
      "spool_dir: /a, was /etc/d/spool: takes effect at the next start",
      "log_dir: /b, was /etc/d/logs: takes effect at the next start",
      "allow_unsafe_spool_volume: true, was false: takes effect at the next start",
    ],
    atNextStart: ["spool_dir", "log_dir", "allow_unsafe_spool_volume"],
  },
  {
    name: "limits, routes, titles and times, at once",
    change: {
      max_associations: 7,
      routes: [{ modalities: ["CT"], destinations: ["pacs"] }],
      allowed_calling_ae_titles: ["CT1"],
      allowed_hosts: ["10.0.0.0/8"],
      timeouts: { idle: 5 },
      minimum_free_space: "2GB",
      study_quiet_seconds: 5,
      forward_immediately: false,
      log_level: "debug",
      watch_config: true,
    },
    lines: [
      "routes: changed",
      "allowed_calling_ae_titles: changed",
      "allowed_hosts: changed",
      "max_associations: 7, was 50",
      "timeouts: changed",
      "minimum_free_space: 2000000000, was 1000000000",
      "forward_immediately: false, was true",
      "study_quiet_seconds: changed",
      "log_level: debug, was info",
      "watch_config: true, was false",
    ],
  },
];

for (const { name, change, lines, destinations, removed, listen, atNextStart } of CASES) {
  Deno.test(`a plan says what is to be done for ${name}, and nothing else`, () => {
    const made = plan({ ...BASE, ...change });
    assert.equal(made.lines.length, lines.length, made.lines.join("\n"));
    for (const [n, line] of lines.entries()) {
      if (typeof line === "string") assert.equal(made.lines[n], line);
      else assert.match(made.lines[n]!, line);
    }
    assert.deepEqual(
      Object.fromEntries(made.destinations.map((one) => [one.settings.name, one.change])),
      destinations ?? { pacs: "kept", copy: "kept" },
    );
    assert.deepEqual(made.removed, removed ?? []);
    assert.deepEqual(made.listen, listen ?? null);
    assert.deepEqual(made.atNextStart, atNextStart ?? []);
  });
}

Deno.test("what has to wait for a start stays as it was, so that the next reload names it again", () => {
  const first = plan({ ...BASE, spool_dir: "/a", max_associations: 7 });
  assert.equal(first.config.spoolDir, "/etc/d/spool");
  assert.equal(first.config.maxAssociations, 7);
  const again = planReload(
    first.config,
    configFrom({ ...BASE, spool_dir: "/a", max_associations: 7 }, "/etc/d"),
  );
  assert.deepEqual(again.atNextStart, ["spool_dir"]);
});
