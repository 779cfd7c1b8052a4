/* The settings of alarms: what they become, and what is said where they are wrong. */

import assert from "node:assert/strict";
import { type Config, ConfigError, configFrom } from "../../src/config/load.ts";

function accepted(alarms: Record<string, unknown>): Config {
  return configFrom({ pacs_host: "pacs.example", alarms }, "/srv/forwarder");
}

function faultsOf(alarms: unknown): ConfigError {
  try {
    configFrom({ pacs_host: "pacs.example", alarms }, "/srv/forwarder");
  } catch (error) {
    assert(error instanceof ConfigError);
    return error;
  }
  throw new assert.AssertionError({ message: "the configuration was accepted" });
}

const EMAIL = { host: "mail.example", from: "a@example", to: ["b@example"] };

Deno.test("times of alarms become milliseconds, times of day minutes, days numbers", () => {
  const { alarms } = accepted({
    repeat_hours: 0.5,
    destination_down_minutes: 0,
    oldest_age_minutes: 1.5,
    silent: [{ ae_title: " CT1 ", hours: 4, days: ["mon", "sun"], from: "06:30", to: "24:00" }],
    name: "St. Anna",
  });
  assert.deepEqual(
    [alarms.repeatMs, alarms.destinationDownMs, alarms.oldestAgeMs, alarms.name],
    [1_800_000, 0, 90_000, "St. Anna"],
  );
  assert.deepEqual(alarms.silent, [
    { aeTitle: "CT1", silenceMs: 14_400_000, days: [1, 0], from: 390, to: 1440 },
  ]);
});

Deno.test("the port of the mail server follows from the encryption, unless it is given", () => {
  const portOf = (more: Record<string, unknown>) =>
    accepted({ email: { ...EMAIL, ...more } }).alarms.email?.port;
  assert.deepEqual(
    [{}, { security: "tls" }, { security: "none" }, { security: "tls", port: 2465 }].map(portOf),
    [587, 465, 25, 2465],
  );
});

Deno.test("every wrong setting of alarms is named with what is wanted", () => {
  const { faults } = faultsOf({
    silent: [
      { ae_title: "CT1", hours: 0, from: "07:00", to: "07:00" },
      { ae_title: "CT1", hours: 1, days: ["monday"], from: "25:00" },
    ],
    webhook: { url: "hook.example/x", headers: { "Bad Name": "x", Good: "line\nbreak" } },
    email: { ...EMAIL, user: "u", to: ["nobody"], security: "ssl" },
    e_mail: {},
  });
  const found = Object.fromEntries(faults.map(({ path, wanted }) => [path, wanted]));
  assert.deepEqual(Object.keys(found).sort(), [
    "alarms.e_mail",
    "alarms.email.password",
    "alarms.email.security",
    "alarms.email.to[0]",
    "alarms.silent[0].hours",
    "alarms.silent[0].to",
    "alarms.silent[1].ae_title",
    "alarms.silent[1].days[0]",
    "alarms.silent[1].from",
    "alarms.webhook.headers.Bad Name",
    "alarms.webhook.headers.Good",
    "alarms.webhook.url",
  ]);
  assert.match(found["alarms.e_mail"]!, /did you mean "email"/);
  assert.match(found["alarms.silent[0].to"]!, /another time than from/);
  assert.match(found["alarms.email.password"]!, /of no use without it/);
});

Deno.test("a message about wrong settings shows no secret", () => {
  const { message } = faultsOf({
    webhook: { url: "hooks.example/SESAME", headers: { Authorization: "SESAME\n" } },
    email: { ...EMAIL, user: "u", password: 7 },
  });
  assert.doesNotMatch(message, /SESAME|: 7/);
  assert.match(message, /alarms.webhook.url: \(not shown\)/);
  const whole = faultsOf([{ url: "http://SESAME", password: "SESAME", headers: { a: "SESAME" } }]);
  assert.doesNotMatch(whole.message, /SESAME/);
});
