/*
 * What a person reads before saving: the settings in words, the changes, lines that fit.
 */

import assert from "node:assert/strict";
import { resolve } from "node:path";
import fc from "fast-check";
import { configFrom } from "../../src/config/load.ts";
import { faultText } from "../../src/setup/flags.ts";
import { sectionOf, topKey } from "../../src/setup/sections.ts";
import { changeLines, summaryLines } from "../../src/setup/summary.ts";
import { wrap } from "../../src/setup/wrap.ts";

Deno.test("the settings are told in words, with the folders as they resolve", () => {
  const config = configFrom({
    pacs_host: "10.0.0.1",
    store_locally: true,
    forward_immediately: false,
    routes: [{ destinations: ["pacs"] }],
  }, resolve("/srv"));
  const text = summaryLines(config).join("\n");
  assert.match(text, /DICOMFORWARDER, port 11112/);
  assert.match(text, /PACS at 10\.0\.0\.1 port 104 \(pacs\)/);
  assert.match(text, /folder .*storage \(archive\)/);
  assert.match(text, /by 1 route in the file/);
  assert.match(text, /no new image for 60 s/);
});

Deno.test("of a secret it is told that it changed, and no more", () => {
  const of = (hash?: string) => ({ web: { host: "h", ...hash && { password_hash: hash } } });
  assert.deepEqual(changeLines(of(), of("$scrypt$new")), ["web.password_hash: new (not shown)"]);
  assert.deepEqual(changeLines(of("a"), of("b")), ["web.password_hash: another (not shown)"]);
  assert.deepEqual(changeLines(of("a"), of()), ["web.password_hash: removed (not shown)"]);
});

Deno.test("a password that goes with all that holds it, or comes with it, is told", () => {
  const web = { host: "::1", password_hash: "$scrypt$old", allowed_names: [], tls: {} };
  assert.deepEqual(changeLines({ web }, {}), [
    'web.host: "::1" (removed)',
    "web.password_hash: removed (not shown)",
    "web.allowed_names: removed",
    "web.tls: removed",
  ]);
  assert.deepEqual(changeLines({}, { web: { password_hash: "$scrypt$new" } }), [
    "web.password_hash: new (not shown)",
  ]);
});

Deno.test("a secret in something that was of another kind before is not told either", () => {
  const web = { host: "0.0.0.0", password_hash: "$scrypt$new" };
  const [line, ...more] = changeLines({ web: "yes" }, { web });
  assert.deepEqual(more, []);
  assert.match(line!, /^web: "yes" -> .*0\.0\.0\.0/);
  assert.doesNotMatch(line!, /scrypt/);
});

Deno.test("changes are told key by key, in lists by the name of what changed", () => {
  const before = {
    local_port: 104,
    gone: 1,
    destinations: [{ name: "a", port: 1 }, { name: "b" }],
  };
  const after = { local_port: 11_112, destinations: [{ name: "a", port: 2 }], pacs_host: "h" };
  assert.deepEqual(changeLines(before, after), [
    "local_port: 104 -> 11112",
    "gone: 1 (removed)",
    "destinations a.port: 1 -> 2",
    "destinations b: removed",
    'pacs_host: "h" (new)',
  ]);
  const routes = [{ destinations: ["a"] }, { modalities: ["CT"], destinations: ["b"] }];
  const mended = [routes[0]!, { ...routes[1]!, destinations: ["a"] }];
  assert.deepEqual(changeLines({ routes }, { routes: mended }), [
    'routes 2.destinations: ["b"] -> ["a"]',
  ]);
  assert.deepEqual(changeLines({ routes }, { routes: mended.slice(1) }), [
    "routes: 2 before, 1 now",
  ]);
  assert.deepEqual(changeLines(before, structuredClone(before)), []);
});

Deno.test("a fault is told by the option that brought it", () => {
  const fault = { path: "local_port", value: 70_000, wanted: "a whole number" };
  assert.equal(faultText(fault, { port: "70000" }), "--port 70000: wanted a whole number");
  assert.equal(faultText(fault, {}), "local_port: 70000: wanted a whole number");
});

Deno.test("each setting that can be asked for knows its section", () => {
  assert.equal(sectionOf("local_port"), "receiver");
  assert.equal(sectionOf("destinations[11].calling_ae_title"), "advanced");
  assert.equal(sectionOf("destinations[0].timeouts.connect"), undefined);
  assert.equal(sectionOf("log_level"), undefined);
  assert.equal(topKey("routes[0].modalities[1]"), "routes");
});

Deno.test("no line is wider than it may be, and no word is lost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,40}$/)),
      fc.integer({ min: 10, max: 80 }),
      (words, width) => {
        const lines = wrap(words.join(" "), width);
        assert.ok(lines.every((line) => line.length <= width));
        assert.equal(lines.join("").replaceAll(" ", ""), words.join(""));
      },
    ),
  );
  assert.deepEqual(wrap("Spool   /a/long/path here", 21), ["Spool   /a/long/path", "        here"]);
});
