/*
 * Whoever does not know the password sees and changes nothing, and cannot find it out by trying.
 */

import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { FakeClock } from "../helpers/fake_clock.ts";
import { within } from "../helpers/until.ts";
import { Lockout } from "../../src/access/lockout.ts";
import { hashPassword, PasswordCheck } from "../../src/access/password.ts";
import { Sessions } from "../../src/web/sessions.ts";
import { FakeControl } from "./fake_control.ts";
import { ask, change, csrfOf, type RawAnswer, type RawRequest } from "./raw_http.ts";
import { WebHouse } from "./web_house.ts";

type Headers = NonNullable<RawRequest["headers"]>;

const PASSWORD = "correct horse battery";

/** Of PASSWORD, cheap to check: tests try it often. */
const HASH = (() => {
  const salt = new Uint8Array(16).fill(3);
  const hash = scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 1 });
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return `$scrypt$ln=10,r=8,p=1$${text(salt)}$${text(new Uint8Array(hash))}`;
})();

const WEB = { password_hash: HASH };

function login(port: number, password: string, headers: Headers = []): Promise<RawAnswer> {
  return change(port, "/login", { password }, headers);
}

/** The session's cookie, as a browser gives it back. */
async function loggedIn(port: number): Promise<Headers> {
  const { status, headers } = await login(port, PASSWORD);
  assert.equal(status, 200);
  return [["Cookie", headers.getSetCookie()[0]!.split(";")[0]!]];
}

Deno.test("with a password nothing is seen or changed before it is given, from this machine either", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { web: WEB });
  const description = JSON.parse((await ask(house.port, { path: "/api/v1/openapi.json" })).text);
  let asked = 0;
  for (const [template, methods] of Object.entries<object>(description.paths)) {
    const path = template.replace("{id}", "1-1-00000000-00000000").replace(/\{\w+\}/g, "pacs");
    if (/\/(session|login|logout|openapi\.json)$/.test(path)) continue;
    for (const method of Object.keys(methods)) {
      const { status } = method === "get"
        ? await ask(house.port, { path })
        : await change(house.port, path.slice("/api/v1".length));
      assert.equal(status, 401, `${method} ${path}`);
      asked++;
    }
  }
  assert.ok(asked > 15, `only ${asked} operations were tried`);
  assert.deepEqual(control.done, []);
  // What the page itself is made of holds nothing of anybody.
  assert.equal((await ask(house.port)).status, 200);
  const session = JSON.parse((await ask(house.port, { path: "/api/v1/session" })).text);
  assert.equal(session.password, true);
  assert.equal(session.authenticated, false);
});

Deno.test("the right password opens a session by a cookie that scripts and other sites do not get", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { web: WEB });
  const { status, headers, text } = await login(house.port, PASSWORD);
  assert.equal(status, 200);
  const cookie = headers.getSetCookie()[0] ?? "";
  const form =
    /^dicomforwarder_\d+=([A-Za-z0-9_-]{43}); Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/;
  assert.match(cookie, form);
  assert.equal(JSON.parse(text).authenticated, true);
  assert.doesNotMatch(text, new RegExp(form.exec(cookie)![1]!));
  const own: Headers = [["Cookie", `other=1; ${cookie.split(";")[0]}`]];
  assert.equal((await ask(house.port, { path: "/api/v1/overview", headers: own })).status, 200);
  assert.equal((await change(house.port, "/reload", {}, own)).status, 200);
  assert.deepEqual(control.done, ["reload by web 127.0.0.1"]);
});

Deno.test("a session's changes need the token of that session, not that of another or of none", async () => {
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { web: WEB });
  const [one, other] = [await loggedIn(house.port), await loggedIn(house.port)];
  for (const token of [await csrfOf(house.port), await csrfOf(house.port, other)]) {
    const { status } = await ask(house.port, {
      method: "POST",
      path: "/api/v1/reload",
      headers: [...one, ["X-CSRF-Token", token]],
      body: "",
    });
    assert.equal(status, 403);
  }
  assert.deepEqual(control.done, []);
});

Deno.test("after logging out, and after its hours, a session opens nothing any more", async () => {
  const clock = new FakeClock();
  const control = new FakeControl();
  await using house = await WebHouse.start(control, { web: { ...WEB, session_hours: 2 }, clock });
  const sees = async (headers: Headers) =>
    (await ask(house.port, { path: "/api/v1/overview", headers })).status;
  const [leaving, staying] = [await loggedIn(house.port), await loggedIn(house.port)];
  const left = await change(house.port, "/logout", {}, leaving);
  assert.equal(left.status, 200);
  assert.match(left.headers.getSetCookie()[0] ?? "", /^dicomforwarder_\d+=;.* Max-Age=0$/);
  assert.equal(await sees(leaving), 401);
  assert.equal(await sees(staying), 200);
  await clock.advance(2 * 3_600_000 - 1);
  assert.equal(await sees(staying), 200);
  await clock.advance(1);
  assert.equal(await sees(staying), 401);
  for (const forged of ["dicomforwarder_1=x", `dicomforwarder_${house.port}=`, "__proto__=1"]) {
    assert.equal(await sees([["Cookie", forged]]), 401, forged);
  }
});

Deno.test("an open stream ends when its session does", async () => {
  await using house = await WebHouse.start(new FakeControl(), { web: WEB });
  const own = await loggedIn(house.port);
  const stream = ask(house.port, { path: "/api/v1/events", headers: own });
  await change(house.port, "/logout", {}, own);
  const { status } = await within(stream, 10_000, "the end of the stream");
  assert.equal(status, 200);
});

Deno.test("ten wrong passwords lock an address out, the right one with them, for longer each time", async () => {
  const clock = new FakeClock();
  await using house = await WebHouse.start(new FakeControl(), { web: WEB, clock });
  for (let n = 0; n < 10; n++) {
    assert.equal((await login(house.port, `wrong ${n} password`)).status, 401, `try ${n}`);
  }
  const locked = await login(house.port, PASSWORD);
  assert.equal(locked.status, 429);
  assert.equal(locked.headers.get("retry-after"), "60");
  assert.match(JSON.parse(locked.text).error, /wait 60 s/);
  await clock.advance(60_000);
  assert.equal((await login(house.port, "wrong again, sorry")).status, 401);
  assert.equal((await login(house.port, PASSWORD)).headers.get("retry-after"), "120");
  await clock.advance(120_000);
  assert.equal((await login(house.port, PASSWORD)).status, 200);
  // And it starts anew.
  assert.equal((await login(house.port, "wrong again, sorry")).status, 401);
  assert.equal((await login(house.port, PASSWORD)).status, 200);
});

Deno.test("wrong passwords tried at the same time are no way round the lock", async () => {
  await using house = await WebHouse.start(new FakeControl(), { web: WEB });
  const tries = Array.from({ length: 40 }, (_, n) => login(house.port, `guess number ${n}`));
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  const checked = statuses.filter((status) => status === 401).length;
  assert.ok(checked <= 10, `${checked} were checked: ${statuses}`);
  assert.ok(statuses.every((status) => [401, 429, 503].includes(status)), `${statuses}`);
  assert.equal((await login(house.port, PASSWORD)).status, 429);
});

Deno.test("many addresses together are locked out, and no number of them fills the memory", () => {
  let now = 1_000_000_000_000;
  const lockout = new Lockout(() => now);
  for (let n = 0; n < 49; n++) lockout.begin(`10.0.0.${n}`);
  assert.equal(lockout.waitMs("10.9.9.9"), 0);
  lockout.begin("10.0.0.49");
  assert.equal(lockout.waitMs("10.9.9.9"), 60_000);
  now += 16 * 60_000;
  assert.equal(lockout.waitMs("10.9.9.9"), 0);
  // An IPv6 host has as many addresses as it likes.
  const host = new Lockout(() => now);
  for (let n = 0; n < 10; n++) host.begin(`2001:db8:1:2::${n}`);
  assert.ok(host.waitMs("2001:db8:1:2:ffff::1") > 0);
  assert.equal(host.waitMs("2001:db8:1:3::1"), 0);
  assert.equal(host.waitMs("::ffff:10.0.0.1"), 0);
});

Deno.test("who sits at the machine is kept out by wrong passwords of that machine alone", () => {
  const lockout = new Lockout(() => 1_000_000_000_000);
  for (let n = 0; n < 50; n++) lockout.begin(`10.0.0.${n}`);
  assert.ok(lockout.waitMs("10.9.9.9") > 0);
  for (const own of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.equal(lockout.waitMs(own), 0);
  for (let n = 0; n < 10; n++) lockout.begin("127.0.0.1");
  assert.ok(lockout.waitMs("127.0.0.1") > 0);
});

Deno.test("a right password locks nobody out, however many were wrong before it", () => {
  const lockout = new Lockout(() => 1_000_000_000_000);
  for (let n = 0; n < 49; n++) lockout.begin(`10.0.0.${n}`);
  for (let n = 0; n < 20; n++) lockout.begin("10.9.9.9")();
  assert.equal(lockout.waitMs("10.9.9.9"), 0);
  lockout.begin("10.0.0.49");
  assert.ok(lockout.waitMs("10.9.9.9") > 0);
});

Deno.test("wrong passwords add up over a quarter of an hour and no longer", () => {
  let now = 1_000_000_000_000;
  const lockout = new Lockout(() => now);
  for (let n = 0; n < 9; n++) lockout.begin("10.0.0.1");
  now += 15 * 60_000 + 1;
  lockout.begin("10.0.0.1");
  assert.equal(lockout.waitMs("10.0.0.1"), 0);
  for (let n = 0; n < 9; n++) lockout.begin("10.0.0.1");
  assert.equal(lockout.waitMs("10.0.0.1"), 60_000);
});

Deno.test("a hash tells its password from others, and two of the same password differ", async () => {
  const [one, other] = await Promise.all([hashPassword(PASSWORD), hashPassword(PASSWORD)]);
  assert.notEqual(one, other);
  assert.match(one, /^\$scrypt\$ln=15,r=8,p=3\$/);
  const check = new PasswordCheck(one);
  assert.equal(await check.matches(PASSWORD), true);
  assert.equal(await check.matches(`${PASSWORD} `), false);
  assert.equal(await check.matches(""), false);
  // Letters with accents, as one character or as two.
  const accented = new PasswordCheck(await hashPassword("Schl\u00fcsselbund"));
  assert.equal(await accented.matches("Schlu\u0308sselbund"), true);
});

Deno.test("of many sessions the oldest ends, and their number stays bounded", () => {
  const sessions = new Sessions(() => 0, 1000);
  const first = sessions.begin();
  for (let n = 0; n < 199; n++) sessions.begin();
  assert.notEqual(sessions.find(first.id), undefined);
  sessions.begin();
  assert.equal(sessions.find(first.id), undefined);
});
