/*
 * The questions about the status page, answered without a terminal: what becomes of odd files, and of what was not asked
 * about.
 */

import assert from "node:assert/strict";
import { askPage, opennessOf, pageText } from "../../src/setup/page_questions.ts";
import type { Choice, Screen } from "../../src/setup/screen.ts";
import { sectionOf } from "../../src/setup/sections.ts";
import { faultsOf, type Settings } from "../../src/setup/settings.ts";
import { changeLines } from "../../src/setup/summary.ts";

const HASH = `$scrypt$ln=15,r=8,p=3$c2FsdHNhbHRzYWx0c2FsdA$${"A".repeat(43)}`;

/** Answers each question by what is in front of the person, which is what Enter takes, or by what is given for it. */
function answering(given: Readonly<Record<string, string>>): Screen {
  const find = (message: string) =>
    Object.entries(given).find(([start]) => message.startsWith(start))?.[1];
  const fits = (message: string) => assert.ok(message.length <= 75, `too wide: ${message}`);
  const screen = {
    choose(message: string, choices: readonly Choice<string>[], initial?: string) {
      fits(message);
      return Promise.resolve(find(message) ?? initial ?? choices[0]!.value);
    },
    line(message: string, initial: string, wanted?: (answer: string) => string | undefined) {
      fits(message);
      assert.doesNotMatch(initial, /\p{Cc}/u, "nothing that a terminal obeys");
      const answer = find(message) ?? initial;
      assert.equal(wanted?.(answer), undefined, message);
      return Promise.resolve(answer);
    },
    secret: () => Promise.resolve("battery staple"),
    bad: (words: string) => assert.fail(words),
    // Of files of certificates that are not there.
    warn: (words: string) => assert.match(words, /there is no such file/),
  };
  return screen as unknown as Screen;
}

function asked(settings: Settings, given: Readonly<Record<string, string>> = {}) {
  return askPage(answering(given), settings, "/nowhere");
}

const pages: Readonly<Record<string, Settings>> = {
  "everything": {
    enabled: true,
    host: "10.0.0.9",
    port: 8105,
    password_hash: HASH,
    allowed_names: ["forwarder.lan"],
    session_hours: 8,
    tls: { certificate: "a.pem", key: "a.key", key_passphrase: "hidden", min_version: "1.3" },
  },
  "a proxy on this machine": {
    host: "127.0.0.1",
    password_hash: HASH,
    allowed_names: ["forwarder.lan"],
  },
  "a proxy, with no host named": { password_hash: HASH, allowed_names: ["forwarder.lan"] },
  "the network by address alone": { host: "0.0.0.0", password_hash: HASH, allowed_names: [] },
  "a password": { password_hash: HASH, enabled: true, allowed_names: [] },
  "this machine": { host: "localhost", enabled: true, port: 8105 },
  "no page": { enabled: false, host: "10.0.0.9", password_hash: HASH },
};

for (const [what, web] of Object.entries(pages)) {
  Deno.test(`whoever takes what is shown changes nothing of the status page: ${what}`, async () => {
    const settings = { pacs_host: "10.0.0.5", web };
    assert.deepEqual(faultsOf(settings, "/nowhere"), []);
    assert.deepEqual(changeLines(settings, await asked(settings)), []);
  });
}

const wrong: readonly unknown[] = [
  null,
  "yes",
  { enabled: "no" },
  { host: 5 },
  { host: "a b" },
  { password_hash: "by hand" },
  { password_hash: null },
  { host: "0.0.0.0", password_hash: 7, allowed_names: "forwarder.lan" },
  { allowed_names: "forwarder.lan" },
  { allowed_names: [5, "a b"], password_hash: HASH },
  { allowed_names: ["a\u001b]0;b\u0007"], password_hash: HASH },
  { tls: null },
  { tls: "a.pem" },
  { tls: { certificate: 5 } },
  { tls: { certificate: "a.pem" } },
];

for (const web of wrong) {
  for (const openness of ["own", "password", "network", "off"]) {
    Deno.test(`answers put a page right that was ${JSON.stringify(web)}: ${openness}`, async () => {
      const settings = { pacs_host: "10.0.0.5", web };
      const faults = faultsOf(settings, "/nowhere");
      assert.equal(faults.length > 0, web !== null);
      for (const { path } of faults) assert.equal(sectionOf(path), "advanced", path);
      const changed = await asked(settings, {
        "Who may": openness,
        "Address": "0.0.0.0",
        "Names": "",
        "File of a certificate": "a.pem",
        "File of its key": "a.key",
      });
      assert.deepEqual(faultsOf(changed, "/nowhere"), []);
      assert.equal(opennessOf(changed), openness);
      const lines = changeLines(settings, changed).join("\n");
      assert.doesNotMatch(lines, /scrypt/);
    });
  }
}

Deno.test("a page is told to have a password, or TLS, only where it has", () => {
  assert.equal(pageText({ web: { password_hash: null } }), "this machine only");
  assert.equal(
    pageText({ web: { host: "0.0.0.0", tls: null, password_hash: HASH } }),
    "the network, with a password",
  );
});
