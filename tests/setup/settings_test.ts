/*
 * Raw settings: what a change does to them, what is unknown in them, what a new file looks like.
 */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import {
  newSettings,
  newText,
  textOf,
  typedNumber,
  unknownExtras,
  wantedAt,
  withoutExtras,
  withSetting,
} from "../../src/setup/settings.ts";

Deno.test("a changed setting keeps its place; a default is not written where it was left out", () => {
  const settings = { pacs_host: "a", local_port: 104 };
  assert.deepEqual(Object.entries(withSetting(settings, "pacs_host", "b")), [
    ["pacs_host", "b"],
    ["local_port", 104],
  ]);
  assert.equal(withSetting(settings, "pacs_port", 104), settings);
  assert.deepEqual(withSetting(settings, "local_port", 11_112), {
    pacs_host: "a",
    local_port: 11_112,
  });
  assert.deepEqual(withSetting(settings, "pacs_host", undefined), { local_port: 104 });
});

Deno.test("keys the program does not know are named with their places, and only they go", () => {
  const settings = {
    pacs_hots: "x",
    pacs_host: "a",
    timeouts: { idle: 5, idel: 6 },
    destinations: [{ name: "one", host: "h", port: 1, ae_title: "A", colour: "red" }],
    routes: [{ destinations: ["one"], when: "never" }],
  };
  assert.deepEqual(unknownExtras(settings).map(({ path }) => path).sort(), [
    "destinations[0].colour",
    "pacs_hots",
    "routes[0].when",
    "timeouts.idel",
  ]);
  const left = withoutExtras(settings);
  assert.deepEqual(left, {
    pacs_host: "a",
    timeouts: { idle: 5 },
    destinations: [{ name: "one", host: "h", port: 1, ae_title: "A" }],
    routes: [{ destinations: ["one"] }],
  });
  assert.equal(configFrom(left, "/").destinations.length, 2);
  assert.ok("pacs_hots" in settings, "the settings it was given are another's");
});

Deno.test("what is wanted comes from the schema, and from what settings must be together", () => {
  const settings = { pacs_host: "127.0.0.1", pacs_port: 4242, local_port: 4242 };
  assert.match(wantedAt({ ...settings, local_ae_title: "" }, "/", "local_ae_title")!, /AE title/);
  assert.match(wantedAt(settings, "/", "pacs_port")!, /another node's port/);
  assert.match(wantedAt({ log_dir: "spool/logs" }, "/", "log_dir")!, /outside spool_dir/);
  assert.equal(wantedAt(settings, "/", "local_port"), undefined);
});

Deno.test("typed numbers are numbers, and everything else stays for the schema to refuse", () => {
  assert.deepEqual(["104", " 0.5 ", "-1"].map(typedNumber), [104, 0.5, -1]);
  assert.deepEqual(["", "1e3", "0x10", "12 34"].map(typedNumber), ["", "1e3", "0x10", "12 34"]);
});

Deno.test("a value that a terminal might obey is not put on it", () => {
  assert.equal(textOf({ pacs_host: "a\x1b[2J" }, "pacs_host"), "");
  assert.equal(textOf({ pacs_host: { a: 1 } }, "pacs_host"), "");
});

Deno.test("a new file has the keys in their usual order, without a PACS only what counts", () => {
  const settings = withSetting(newSettings(), "pacs_host", "10.0.0.1");
  assert.deepEqual(Object.keys(JSON.parse(newText(settings))), [
    "local_ae_title",
    "local_port",
    "local_host",
    "pacs_host",
    "pacs_port",
    "pacs_ae_title",
    "store_locally",
    "storage_dir",
    "log_dir",
    "forward_immediately",
    "retry_attempts",
  ]);
  assert.doesNotMatch(newText(newSettings()), /pacs/);
});
