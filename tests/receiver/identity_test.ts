/*
 * User identity: who is let in, what others hear, and what guessing gains.
 */

import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { configFrom } from "../../src/config/load.ts";
import { UserIdentities } from "../../src/receiver/identity.ts";

const PASSCODE = "gar nicht so geheim";
const HERE = "10.0.0.5";

/** Cheap to check: some are checked often. */
function hashOf(passcode: string): string {
  const salt = new Uint8Array(16).fill(3);
  const hash = scryptSync(passcode, salt, 32, { N: 1024, r: 8, p: 1 });
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return `$scrypt$ln=10,r=8,p=1$${text(salt)}$${text(new Uint8Array(hash))}`;
}

const USERS = [{ name: "ct1", password_hash: hashOf(PASSCODE) }, { name: "jürgen" }];

function identities(settings: Record<string, unknown> = {}, now: () => number = () => 1e6) {
  const config = configFrom(
    { pacs_host: "h", user_identity: { users: USERS, ...settings } },
    "/tmp",
  );
  return new UserIdentities(config.userIdentity, now);
}

function identity(type: number, name: string, passcode = "", positiveResponseRequested = false) {
  const encoder = new TextEncoder();
  return {
    type,
    positiveResponseRequested,
    primary: encoder.encode(name),
    secondary: encoder.encode(passcode),
  };
}

/** "ok user", or the numbers of the rejection. */
async function outcome(
  of: UserIdentities,
  request: ReturnType<typeof identity> | undefined,
  wanted: string | null = null,
  host = HERE,
): Promise<string> {
  const said = await of.check(request, wanted, host);
  if (said.kind === "ok") return `ok ${said.user}${said.respond ? ", says so" : ""}`;
  const { result, source, reason } = said.refusal;
  return `${result},${source},${reason}`;
}

const CASES: readonly [
  string,
  Record<string, unknown>,
  ReturnType<typeof identity> | undefined,
  string | null,
  string,
][] = [
  ["right", {}, identity(2, "ct1", PASSCODE), null, "ok ct1"],
  ["right, and asked to say so", {}, identity(2, "ct1", PASSCODE, true), null, "ok ct1, says so"],
  ["of another passcode", {}, identity(2, "ct1", "no"), null, "1,2,1"],
  ["of no passcode", {}, identity(2, "ct1"), null, "1,2,1"],
  ["of another name", {}, identity(2, "ct2", PASSCODE), null, "1,2,1"],
  ["of a name in capitals", {}, identity(2, "CT1", PASSCODE), null, "1,2,1"],
  ["of a name alone where a passcode is set", {}, identity(1, "ct1", PASSCODE), null, "1,2,1"],
  ["of a name alone where that is enough", {}, identity(1, "jürgen"), null, "ok jürgen"],
  ["absent", {}, undefined, null, "ok null"],
  ["absent where one is required", { required: true }, undefined, null, "1,2,1"],
  ["absent where the sender is tied to one", {}, undefined, "ct1", "1,2,1"],
  ["another user's than the sender's", {}, identity(1, "jürgen"), "ct1", "1,2,1"],
  ["the sender's", {}, identity(2, "ct1", PASSCODE), "ct1", "ok ct1"],
  ["a Kerberos ticket", {}, identity(3, "ticket"), null, "ok null"],
  ["a Kerberos ticket where one is required", { required: true }, identity(3, "t"), null, "1,2,1"],
  [
    "a SAML assertion where one is required",
    { required: true },
    identity(4, "<a/>"),
    null,
    "1,2,1",
  ],
  ["a JSON Web Token where one is required", { required: true }, identity(5, "e."), null, "1,2,1"],
  ["of a type that does not exist", { required: true }, identity(9, "ct1"), null, "1,2,1"],
  ["any, where there are no users", { users: [] }, identity(2, "x", "y", true), null, "ok null"],
];

for (const [name, settings, request, wanted, expected] of CASES) {
  Deno.test(`a user identity ${name}: ${expected}`, async () => {
    assert.equal(await outcome(identities(settings), request, wanted), expected);
  });
}

Deno.test("ten wrong ones lock the address and no other, and it comes back after a while", async () => {
  let now = 1e6;
  const users = identities({}, () => now);
  for (let n = 0; n < 10; n++) {
    assert.equal(await outcome(users, identity(2, "ct1", `guess ${n}`)), "1,2,1");
  }
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "2,3,1");
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE), null, "10.0.0.6"), "ok ct1");
  now += 61_000;
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "ok ct1");
});

Deno.test("a hundred addresses that guess lock nobody else out", async () => {
  const users = identities();
  for (let n = 0; n < 100; n++) {
    await outcome(users, identity(2, "ct1", `guess ${n}`), null, `10.9.0.${n}`);
  }
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "ok ct1");
});

Deno.test("many associations at once of one who is right are one check, and none is refused", async () => {
  const users = identities();
  const all = await Promise.all(
    Array.from({ length: 50 }, () => outcome(users, identity(2, "ct1", PASSCODE))),
  );
  assert.deepEqual(new Set(all), new Set(["ok ct1"]));
});

Deno.test("guesses at once are checked a few at a time, the rest is put off, and who was right before gets in meanwhile", async () => {
  const users = identities();
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "ok ct1");
  const guesses = Array.from(
    { length: 60 },
    (_, n) => outcome(users, identity(2, "ct1", `guess ${n}`), null, `10.9.0.${n}`),
  );
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "ok ct1");
  const said = await Promise.all(guesses);
  // Two are computed and eight wait.
  assert.equal(said.filter((one) => one === "1,2,1").length, 10);
  assert.equal(said.filter((one) => one === "2,3,1").length, 50);
});

Deno.test("another passcode in the configuration holds at once, and the old one no more", async () => {
  const users = identities();
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "ok ct1");
  const changed = configFrom({
    pacs_host: "h",
    user_identity: { users: [{ name: "ct1", password_hash: hashOf("another one") }] },
  }, "/tmp");
  users.configure(changed.userIdentity);
  assert.equal(await outcome(users, identity(2, "ct1", PASSCODE)), "1,2,1");
  assert.equal(await outcome(users, identity(2, "ct1", "another one")), "ok ct1");
});
