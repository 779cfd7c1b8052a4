/* A configuration that is shown has the names and units of the file: who changes the file by it gets what is shown. */

import assert from "node:assert/strict";
import { asWritten } from "../../src/config/as_written.ts";
import { type Config, configFrom } from "../../src/config/load.ts";

const FULL = {
  local_ae_title: "US",
  pacs_host: "pacs.example",
  store_locally: true,
  destinations: [{
    type: "dicom",
    name: "research",
    host: "r.example",
    port: 104,
    ae_title: "R",
    timeouts: { connect: 2.5 },
    retry_attempts: 3,
  }],
  routes: [{ modalities: ["CT"], destinations: ["research"] }],
  max_instance_size: "1.5GB",
  minimum_free_space: 123_457,
  study_quiet_seconds: 90,
  web: { port: 9000, host: "127.0.0.1", session_hours: 3 },
  audit: {
    host: "log.example",
    certificate_file: "/srv/c.pem",
    key_file: "/srv/k.pem",
    site: "CT room",
    patient_data: false,
    keep: "1.5GB",
  },
  alarms: {
    repeat_hours: 4,
    silent: [{ ae_title: "CT1", hours: 0.5, days: ["mon", "sun"], from: "23:05", to: "01:10" }],
    webhook: { url: "https://h.example/", headers: { "X-MySite": "1" }, timeout: 7 },
    email: {
      host: "mail.example",
      user: "u",
      password: "p",
      from: "a@example.org",
      to: ["b@example.org"],
    },
    name: "Site",
  },
};

/** As the file has it: what is not set is not there, and where it was read from is no setting. */
function asFile(config: Config): Record<string, unknown> {
  const { file: _none, ...settings } = asWritten(config);
  return JSON.parse(JSON.stringify(settings, (_key, value) => value === null ? undefined : value));
}

Deno.test("what is shown of a configuration, written to a file, puts the same in force", () => {
  for (const content of [FULL, { pacs_host: "pacs.example" }]) {
    const config = configFrom(content, "/srv");
    assert.deepEqual(configFrom(asFile(config), "/elsewhere"), config);
  }
});

Deno.test("settings are shown under the file's names and in its units", () => {
  const shown = asWritten(configFrom(FULL, "/srv"));
  assert.equal(shown.local_ae_title, "US");
  assert.equal(shown.study_quiet_seconds, 90);
  assert.equal(shown.max_instance_size, "1500MB");
  assert.equal(shown.minimum_free_space, 123_457);
  assert.doesNotMatch(JSON.stringify(shown), /Ms"|"[a-z]+[A-Z][a-z]+":/);
});
