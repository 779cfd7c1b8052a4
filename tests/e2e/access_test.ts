/*
 * Who may send, over real connections: the numbers that each stranger hears, and that nothing of it comes in the way of those
 * who belong.
 */

import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { generateStudy, part10File } from "../../src/cli/demo_study.ts";
import type { UserIdentityRequest } from "../../src/ul/pdu.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { decodeControlPdu } from "../../src/ul/pdu_decode.ts";
import { echoscu, storescu } from "../helpers/dcmtk.ts";
import { readExposition } from "../helpers/exposition.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { captureLog } from "../helpers/log_file.ts";
import { associateRequest, CONTEXTS, RELEASE_RQ, userInformation } from "../helpers/pdus.ts";
import { Peer } from "../helpers/peer.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll, Sender } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";

const LINUX = Deno.build.os === "linux";
const PASSCODE = "gar nicht so geheim";

/** Cheap to check. */
const HASH = (() => {
  const salt = new Uint8Array(16).fill(3);
  const hash = scryptSync(PASSCODE, salt, 32, { N: 1024, r: 8, p: 1 });
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return `$scrypt$ln=10,r=8,p=1$${text(salt)}$${text(new Uint8Array(hash))}`;
})();

interface Asking {
  readonly calling?: string;
  readonly called?: string;
  readonly from?: string;
  readonly identity?: UserIdentityRequest;
}

/** Asks for an association: "accepted", the numbers of the rejection, or "closed" where no answer came. */
async function ask(port: number, asking: Asking = {}): Promise<string> {
  const { calling = "CT1", called = "DICOMFORWARDER", from, identity } = asking;
  const peer = await Peer.connect(port, from);
  try {
    await peer.send(associateRequest(CONTEXTS, 16384, {
      callingAeTitle: calling,
      calledAeTitle: called,
      userInformation: {
        ...userInformation(16384),
        ...(identity === undefined ? {} : { userIdentity: identity }),
      },
    }));
    const { type, body } = await peer.receivePdu();
    if (type === PduType.AssociateReject) return [...body.subarray(1)].join(",");
    assert.equal(type, PduType.AssociateAccept);
    const { userInformation: told } = decodeControlPdu(type, body) as {
      userInformation: { userIdentityResponse?: Uint8Array };
    };
    await peer.send(RELEASE_RQ);
    await peer.expectPdu(PduType.ReleaseResponse);
    if (told.userIdentityResponse === undefined) return "accepted";
    return `accepted, ${told.userIdentityResponse.length} bytes of response`;
  } catch (error) {
    if (/connection ended|EPIPE|ECONNRESET|ECONNABORTED/.test(String(error))) return "closed";
    throw error;
  } finally {
    peer.close();
  }
}

function identity(name: string, passcode: string, positiveResponseRequested = false) {
  const encoder = new TextEncoder();
  return {
    type: 2,
    positiveResponseRequested,
    primary: encoder.encode(name),
    secondary: encoder.encode(passcode),
  };
}

function counted(forwarder: Forwarder, name: string): Record<string, number> {
  const family = readExposition(forwarder.daemon.figures.metrics()).get(name);
  assert.ok(family !== undefined, name);
  return Object.fromEntries(
    family.samples.map(({ labels, value }) => [Object.values(labels).join(","), value]),
  );
}

Deno.test({
  name:
    "a listed title from its own address is let in, and every other way is rejected with its reason [SE-03]",
  ignore: !LINUX,
  async fn() {
    await using scratch = await Scratch.make();
    await using forwarder = await Forwarder.start(scratch.path, {
      store_locally: true,
      // Every IPv4 peer comes as an IPv4-mapped IPv6 address here.
      local_host: "::",
      senders: [
        { ae_title: "CT1", addresses: ["127.0.1.0/24"] },
        { ae_title: "MR1", addresses: ["127.0.0.1", "::1"] },
      ],
    });
    const { port } = forwarder;
    assert.equal(await ask(port, { from: "127.0.1.7" }), "accepted");
    assert.equal(await ask(port, { calling: "MR1" }), "accepted");
    assert.equal(await ask(port, { calling: "US1" }), "1,1,3", "unknown title");
    assert.equal(await ask(port, { calling: "ct1", from: "127.0.1.7" }), "1,1,3", "other letters");
    assert.equal(await ask(port, { calling: "MR1", from: "127.0.1.7" }), "1,1,3", "other address");
    assert.equal(await ask(port, { called: "X", from: "127.0.1.7" }), "1,1,7", "called title");
    const echo = await echoscu(port, ["-aet", "MR1"]);
    assert.equal(echo.code, 0, echo.stderr);
    const stranger = await echoscu(port, ["-aet", "CT1"]);
    assert.notEqual(stranger.code, 0);
    assert.match(stranger.stderr, /Calling AE Title Not Recognized/i);
    const rejected = counted(forwarder, "dicomforwarder_associations_rejected_total");
    assert.deepEqual(rejected, { "1,1,3": 4, "1,1,7": 1 });
  },
});

Deno.test({
  name:
    "a thousand guesses are held back, counted each, and told in two lines; the modality sends as ever [SE-03]",
  ignore: !LINUX,
  async fn() {
    await using scratch = await Scratch.make();
    const log = await captureLog(scratch.at("logs"));
    let lines: string[] | undefined;
    try {
      await using forwarder = await Forwarder.start(scratch.folder("home"), {
        store_locally: true,
        senders: [{ ae_title: "MODALITY", addresses: ["127.0.0.1"] }],
        connection_rate: { per_host: 100 },
      });
      const { port } = forwarder;
      await using sender = await Sender.open(port);
      const outcomes = new Map<string, number>();
      const study = generateStudy({ instances: 20, rows: 16, columns: 16, seed: 9 });
      for (let n = 0; n < 20; n++) {
        const guesses = Array.from(
          { length: 50 },
          (_, k) => ask(port, { calling: `GUESS${n * 50 + k}`, from: "127.0.0.9" }),
        );
        for (const one of await Promise.all(guesses)) {
          outcomes.set(one, (outcomes.get(one) ?? 0) + 1);
        }
        assert.equal(await sender.send(study.next().value!), 0);
      }
      const rejected = outcomes.get("1,1,3") ?? 0;
      const closed = outcomes.get("closed") ?? 0;
      assert.equal(rejected + closed, 1000, JSON.stringify([...outcomes]));
      // A minute's worth, and what the seconds of this test bring beside it.
      assert.ok(rejected > 0 && rejected <= 150, `${rejected} of 1000 were heard`);
      const dropped = counted(forwarder, "dicomforwarder_connections_dropped_total");
      assert.equal(dropped.rate! + dropped.crowded!, closed);
      const refused = counted(forwarder, "dicomforwarder_associations_rejected_total");
      assert.deepEqual(refused, { "1,1,3": rejected });
      // A stranger who has used up what strangers get keeps no one else out, known or not.
      assert.equal(await ask(port, { calling: "MODALITY" }), "accepted");
      assert.equal(await ask(port, { calling: "OTHER", from: "127.0.0.10" }), "1,1,3");
    } finally {
      lines = await log();
    }
    const about = lines.filter((line) => /127\.0\.0\.9\b/.test(line));
    const told = (words: RegExp) => about.filter((line) => words.test(line)).length;
    assert.equal(told(/Association rejected: /), 1, about.join("\n"));
    assert.equal(told(/Association rejected again within a minute: .*count=\d+/), 1);
    assert.equal(told(/faster than connection_rate allows/), 2);
    assert.ok(about.length <= 6, about.join("\n"));
  },
});

Deno.test({
  name: "strangers that hold every place they can get leave the known modality its own",
  ignore: !LINUX,
  async fn() {
    await using scratch = await Scratch.make();
    await using forwarder = await Forwarder.start(scratch.path, {
      store_locally: true,
      max_associations: 10,
      max_associations_per_host: 10,
      connection_rate: { per_host: 0, all: 0 },
    });
    const { port } = forwarder;
    const study = generateStudy({ instances: 2, rows: 16, columns: 16, seed: 9 });
    // It has stored: from now on it is known.
    await sendAll(port, [study.next().value!]);
    const held: Peer[] = [];
    const opened = new Map<number, number>();
    for (let n = 0; n < 60; n++) {
      const peer = await Peer.connect(port, `127.0.0.${9 + n % 8}`);
      held.push(peer);
      // Half of them ask for nothing.
      if (n % 2 === 0) continue;
      await peer.send(associateRequest(CONTEXTS, 16384, { calledAeTitle: "DICOMFORWARDER" }))
        .catch(() => {});
      const type = await peer.receivePdu().then(({ type }) => type, () => 0);
      opened.set(type, (opened.get(type) ?? 0) + 1);
    }
    try {
      assert.equal(opened.get(PduType.AssociateAccept), 9, JSON.stringify([...opened]));
      await sendAll(port, [study.next().value!]);
    } finally {
      for (const peer of held) peer.close();
    }
  },
});

Deno.test("a user with the right passcode is let in and told so on request, and others are rejected by the provider", async () => {
  await using scratch = await Scratch.make();
  const settings = (more: Record<string, unknown>) => ({
    store_locally: true,
    user_identity: { required: true, users: [{ name: "ct1", password_hash: HASH }], ...more },
  });
  await using forwarder = await Forwarder.start(scratch.path, settings({}));
  const { port } = forwarder;
  assert.equal(await ask(port), "1,2,1");
  assert.equal(await ask(port, { identity: identity("ct1", PASSCODE) }), "accepted");
  assert.equal(
    await ask(port, { identity: identity("ct1", PASSCODE, true) }),
    "accepted, 0 bytes of response",
  );
  assert.equal(await ask(port, { identity: identity("ct1", "no", true) }), "1,2,1");
  assert.equal(await ask(port, { identity: identity("mr1", PASSCODE) }), "1,2,1");
  const ticket = { ...identity("ct1", ""), type: 3 };
  assert.equal(await ask(port, { identity: ticket }), "1,2,1");
  const result = await forwarder.reload(settings({ required: false }));
  assert.deepEqual(result.lines, ["user_identity: changed"]);
  assert.equal(await ask(port), "accepted");
  assert.equal(await ask(port, { identity: ticket }), "accepted");
  assert.equal(await ask(port, { identity: identity("ct1", "still no") }), "1,2,1");
});

Deno.test("DCMTK sends with a user name and passcode, and without the right one it does not", async () => {
  await using scratch = await Scratch.make();
  await using forwarder = await Forwarder.start(scratch.folder("home"), {
    store_locally: true,
    user_identity: { required: true, users: [{ name: "ct1", password_hash: HASH }] },
  });
  const [instance] = generateStudy({ instances: 1, rows: 16, columns: 16, seed: 9 });
  const file = scratch.at("one.dcm");
  writeFileSync(file, part10File(instance!));
  const right = ["-usr", "ct1", "-pwd", PASSCODE, "-rsp"];
  const sent = await storescu(forwarder.port, right, [file]);
  assert.equal(sent.code, 0, sent.stderr);
  await forwarder.delivered("archive", 1);
  for (const wrong of [[], ["-usr", "ct1"], ["-usr", "ct1", "-pwd", "no"]]) {
    const refused = await storescu(forwarder.port, wrong, [file]);
    assert.notEqual(refused.code, 0, wrong.join(" "));
    assert.match(refused.stderr, /Service Provider \(ACSE/i);
  }
});

Deno.test("a forwarder gives a destination the user identity it asks for", async () => {
  await using scratch = await Scratch.make();
  await using far = await Forwarder.start(scratch.folder("far"), {
    local_ae_title: "FAR",
    store_locally: true,
    senders: [{ ae_title: "DICOMFORWARDER", user: "near" }],
    user_identity: { users: [{ name: "near", password_hash: HASH }] },
  });
  const to = (passcode: string) => ({
    destinations: [
      nodeAt("far", far.port, {
        ae_title: "FAR",
        user_identity: { username: "near", passcode },
      }),
    ],
  });
  await using near = await Forwarder.start(scratch.folder("near"), to("not this one"));
  await sendAll(near.port, generateStudy({ instances: 3, rows: 16, columns: 16, seed: 9 }));
  const rejections = "dicomforwarder_associations_rejected_total";
  await until(
    () => (counted(far, rejections)["1,2,1"] ?? 0) > 0,
    10_000,
    "a rejection of the wrong passcode",
  );
  assert.equal(far.destination("archive").delivered, 0);
  await near.reload(to(PASSCODE));
  await far.delivered("archive", 3);
  await near.delivered("far", 3);
});

Deno.test({
  name: "senders and rates are changed while it runs, and an association that is open goes on",
  ignore: !LINUX,
  async fn() {
    await using scratch = await Scratch.make();
    const base = { store_locally: true };
    await using forwarder = await Forwarder.start(scratch.path, base);
    const { port } = forwarder;
    await using sender = await Sender.open(port);
    const study = generateStudy({ instances: 1, rows: 16, columns: 16, seed: 9 });
    assert.equal(await ask(port, { from: "127.0.0.9" }), "accepted");
    const result = await forwarder.reload({
      ...base,
      senders: [{ ae_title: "CT1", addresses: ["127.0.0.8"] }],
      connection_rate: { per_host: 3 },
    });
    assert.deepEqual(result.lines, ["senders: changed", "connection_rate: changed"]);
    assert.equal(await ask(port, { from: "127.0.0.9" }), "1,1,3");
    assert.equal(await ask(port, { from: "127.0.0.8" }), "accepted");
    const heard = [];
    for (let n = 0; n < 5; n++) heard.push(await ask(port, { from: "127.0.0.10" }));
    assert.deepEqual(heard, ["1,1,3", "1,1,3", "1,1,3", "closed", "closed"]);
    assert.equal(await sender.send(study.next().value!), 0);
    await forwarder.reload(base);
    assert.equal(await ask(port, { from: "127.0.0.9" }), "accepted");
  },
});
