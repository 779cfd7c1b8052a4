/* A configuration that may be shown: all of it but the secrets. */

import assert from "node:assert/strict";
import { configFrom } from "../../src/config/load.ts";
import { NOT_SHOWN, redact, redactUrl } from "../../src/config/redact.ts";

const WRITTEN = {
  pacs_host: "pacs.example",
  alarms: {
    webhook: {
      url: "https://user:SESAME@hooks.example:8443/services/SESAME?key=SESAME#SESAME",
      headers: { Authorization: "Bearer SESAME", "X-Site": "SESAME" },
    },
    email: {
      host: "mail.example",
      user: "forwarder",
      password: "SESAME",
      from: "a@example",
      to: ["b@example"],
    },
  },
};

Deno.test("no secret is in a configuration that is shown, as written or as in force", () => {
  const written = { ...WRITTEN, web: { password_hash: "SESAME", port: 8080 } };
  for (
    const config of [written, configFrom(WRITTEN, "/srv"), { web: { passwordHash: "SESAME" } }]
  ) {
    assert.doesNotMatch(JSON.stringify(redact(config)), /SESAME/);
  }
});

Deno.test("what is no secret is shown as it is, and nothing is changed in what was given", () => {
  const before = structuredClone(WRITTEN);
  const shown = redact(WRITTEN);
  assert.deepEqual(WRITTEN, before);
  assert.deepEqual(shown, {
    pacs_host: "pacs.example",
    alarms: {
      webhook: {
        url: `https://hooks.example:8443/${NOT_SHOWN}`,
        headers: { Authorization: NOT_SHOWN, "X-Site": NOT_SHOWN },
      },
      email: { ...WRITTEN.alarms.email, password: NOT_SHOWN },
    },
  });
  const config = configFrom({ pacs_host: "pacs.example" }, "/srv");
  assert.deepEqual(redact(config), JSON.parse(JSON.stringify(config)));
});

Deno.test("an address without anything secret is shown, one with a path, a query or a user is cut", () => {
  assert.equal(redactUrl("https://hooks.example/"), "https://hooks.example/");
  assert.equal(redactUrl("https://hooks.example/T000/B000"), `https://hooks.example/${NOT_SHOWN}`);
  assert.equal(redactUrl("https://hooks.example/?k=1"), `https://hooks.example/${NOT_SHOWN}`);
  assert.equal(redactUrl("https://u@hooks.example/"), `https://hooks.example/${NOT_SHOWN}`);
  assert.equal(redactUrl("not an address"), NOT_SHOWN);
});
