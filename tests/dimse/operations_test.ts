/*
 * Several requests outstanding on one association (PS3.7 §D.3.3.3), against a scripted peer that looks at every byte: what
 * is negotiated, that an answer belongs to one request, and what becomes of the others when the association ends.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { decodeCommand, encodeCommand } from "../../src/dimse/command.ts";
import { inMemory, type OutgoingDataSet, type Sent, ServiceUser } from "../../src/dimse/scu.ts";
import type { Association } from "../../src/ul/association.ts";
import { PduType, type UserInformation } from "../../src/ul/pdu.ts";
import { hex, noise } from "../helpers/hex.ts";
import type { Peer } from "../helpers/peer.ts";
import {
  associateAccept,
  commandPdu,
  CT,
  dataPdu,
  pdv,
  pdvsOf,
  RELEASE_RQ,
  USER_ABORT,
} from "../helpers/pdus.ts";
import { endsAs, withRequesting } from "../helpers/served.ts";

const ACCEPTED = [1, 3].map((id) => ({
  id,
  result: 0,
  transferSyntax: id === 1 ? "1.2.840.10008.1.2" : "1.2.840.10008.1.2.1",
}));

interface Setting {
  readonly operations?: number;
  readonly answer?: UserInformation["asynchronousOperations"];
  readonly responseMs?: number;
  readonly writeStallMs?: number;
  readonly maxPduLength?: number;
}

/** An association of ours that asked for 16, with what the peer answered to that; the request's bytes, too. */
function using(
  setting: Setting,
  script: (peer: Peer, user: ServiceUser, request: Uint8Array) => Promise<void>,
): Promise<void> {
  const { operations = 16, answer, responseMs = 5000, writeStallMs = 5000, maxPduLength = 16384 } =
    setting;
  return withRequesting(async (peer, requested) => {
    const request = await peer.expectPdu(PduType.AssociateRequest);
    const more = answer === undefined ? {} : { asynchronousOperations: answer };
    await peer.send(associateAccept(ACCEPTED, maxPduLength, more));
    await script(peer, new ServiceUser(await requested, responseMs), request);
  }, { operations, writeStallMs });
}

const UNLIMITED: Setting = { answer: { invoked: 0, performed: 0 } };

/** Receives whole messages and returns their ids and UIDs. */
async function receive(peer: Peer, count: number): Promise<{ id: number; uid: string }[]> {
  const found: { id: number; uid: string }[] = [];
  while (found.length < count) {
    const pieces: Uint8Array[] = [];
    for (let last = false; !last;) {
      const [one] = pdvsOf(await peer.expectPdu(PduType.Data));
      assert.equal(one!.command, true, "a command set follows a whole data set");
      pieces.push(one!.fragment);
      last = one!.last;
    }
    const { messageId, affectedSopInstanceUid } = decodeCommand(concat(pieces));
    for (let last = false; !last;) {
      const [one] = pdvsOf(await peer.expectPdu(PduType.Data));
      assert.equal(one!.command, false, "a whole data set follows a command set");
      last = one!.last;
    }
    found.push({ id: messageId!, uid: affectedSopInstanceUid! });
  }
  return found;
}

function answerTo(id: number, status = 0): Uint8Array {
  return commandPdu(3, {
    commandField: 0x8001,
    messageIdBeingRespondedTo: id,
    commandDataSetType: 0x0101,
    status,
  });
}

function begin(user: ServiceUser, uid: string, dataSet = inMemory(noise(100))) {
  return user.beginStore(3, CT, uid, dataSet);
}

async function beginAll(user: ServiceUser, count: number): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (let n = 1; n <= count; n++) sent.push((await begin(user, `1.${n}`))!);
  return sent;
}

for (
  const [what, answer, wanted] of [
    ["without the item", undefined, 1],
    ["1, 1", { invoked: 1, performed: 1 }, 1],
    ["4, 1", { invoked: 4, performed: 1 }, 4],
    ["16, 16", { invoked: 16, performed: 16 }, 16],
    ["more than was asked for", { invoked: 500, performed: 1 }, 16],
    ["no limit", { invoked: 0, performed: 0 }, 16],
    ["what it would invoke itself", { invoked: 1, performed: 8 }, 1],
  ] as const
) {
  Deno.test(`a peer that is asked for 16 operations and answers ${what} is given ${wanted} at a time`, () =>
    using(
      answer === undefined ? {} : { answer },
      (_, user, request) => {
        assert.match(
          hex(request),
          /53 ?00 ?00 ?04 ?00 ?10 ?00 ?01/,
          "item 53H: 16 invoked, 1 performed",
        );
        assert.equal(user.association.operations, wanted);
        return Promise.resolve();
      },
    ));
}

Deno.test("one operation at a time is not asked for: it is what a request without the item means", () =>
  using({ operations: 1, answer: { invoked: 0, performed: 0 } }, (_, user, request) => {
    assert.doesNotMatch(hex(request), /53 ?00 ?00 ?04/);
    assert.equal(user.association.operations, 1);
    return Promise.resolve();
  }));

Deno.test("answers in any order each reach the request of their message id", () =>
  using(UNLIMITED, async (peer, user) => {
    const sent = await beginAll(user, 5);
    const messages = await receive(peer, 5);
    assert.deepEqual(messages.map(({ uid }) => uid), ["1.1", "1.2", "1.3", "1.4", "1.5"]);
    assert.equal(new Set(messages.map(({ id }) => id)).size, 5);
    for (const n of [3, 0, 4, 2, 1]) await peer.send(answerTo(messages[n]!.id, 0xb000 + n));
    const statuses = (await Promise.all(sent.map((one) => one.answer))).map(({ status }) => status);
    assert.deepEqual(statuses, [0xb000, 0xb001, 0xb002, 0xb003, 0xb004]);
    await user.allAnswered();
    assert.ok(user.association.established);
  }));

Deno.test("answers come in while a request is being sent, and that one is answered, too", () =>
  using(UNLIMITED, async (peer, user) => {
    const first = (await begin(user, "1.1"))!;
    const [message] = await receive(peer, 1);
    // A data set whose bytes are not there until the first answer has come.
    const bytes = noise(50_000);
    const source = inMemory(bytes);
    const slow: OutgoingDataSet = {
      length: bytes.length,
      async read(into) {
        await first.answer;
        await source.read(into);
      },
      vouch: () => source.vouch(),
    };
    const second = begin(user, "1.2", slow);
    await peer.send(answerTo(message!.id));
    assert.equal((await first.answer).status, 0);
    const [next] = await receive(peer, 1);
    await peer.send(answerTo(next!.id, 0xb007));
    assert.equal((await (await second)!.answer).status, 0xb007);
  }));

Deno.test("a refusal before the last fragment is the answer of that request, once all of it is sent", () =>
  using(UNLIMITED, async (peer, user) => {
    const first = (await begin(user, "1.1"))!;
    const [message] = await receive(peer, 1);
    const go = Promise.withResolvers<void>();
    const source = inMemory(noise(1_000_000));
    let reads = 0;
    const second = begin(user, "1.2", {
      length: source.length,
      async read(into) {
        if (++reads === 40) await go.promise;
        await source.read(into);
      },
      vouch: () => source.vouch(),
    });
    // The second's command set is out, its data set is not.
    const [command] = pdvsOf(await peer.expectPdu(PduType.Data));
    const id = decodeCommand(command!.fragment).messageId!;
    await peer.send(answerTo(id, 0xa700), answerTo(message!.id));
    assert.equal((await first.answer).status, 0, "both answers have been read");
    go.resolve();
    assert.equal((await (await second)!.answer).status, 0xa700);
    await user.allAnswered();
    // And a third finds the association in order.
    for (let last = false; !last;) last = pdvsOf(await peer.expectPdu(PduType.Data))[0]!.last;
    const third = (await begin(user, "1.3"))!;
    const [next] = await receive(peer, 1);
    await peer.send(answerTo(next!.id));
    assert.equal((await third.answer).status, 0);
  }));

const BREACHES: readonly [string, (ids: readonly number[]) => Uint8Array, number][] = [
  ["a second answer to one message", (ids) => answerTo(ids[0]!), 5],
  ["an answer to a message that was never sent", () => answerTo(4711), 5],
  [
    "an answer of another kind",
    (ids) =>
      commandPdu(3, {
        commandField: 0x8030,
        messageIdBeingRespondedTo: ids[1]!,
        commandDataSetType: 0x0101,
        status: 0,
      }),
    5,
  ],
  ["a data set", () => dataPdu(pdv(3, "data", true, noise(20))), 6],
  ["a release", () => RELEASE_RQ, 2],
];

for (const [what, bytes, reason] of BREACHES) {
  Deno.test(`${what} is aborted: what was answered stands, the others are not taken for stored`, () =>
    using(UNLIMITED, async (peer, user) => {
      const [first, second, third] = await beginAll(user, 3);
      const ids = (await receive(peer, 3)).map(({ id }) => id);
      await peer.send(answerTo(ids[0]!));
      assert.equal((await first!.answer).status, 0);
      await peer.send(bytes(ids));
      await assert.rejects(second!.answer, endsAs("protocol"));
      await assert.rejects(third!.answer, endsAs("protocol"));
      assert.equal(
        hex(await peer.expectPdu(PduType.Abort)),
        hex(Uint8Array.of(0, 0, 2, reason)),
      );
      await peer.finish();
      await user.allAnswered();
      await assert.rejects(begin(user, "1.4"), endsAs("protocol"));
    }));
}

for (
  const [what, deed, kind] of [
    ["aborts", (peer: Peer) => peer.send(USER_ABORT), "aborted"],
    ["closes", (peer: Peer) => peer.finish(), "closed"],
    ["resets", (peer: Peer) => peer.reset(), "closed"],
  ] as const
) {
  Deno.test(`a peer that answers one of four, the third, and then ${what}: one is answered, three are not`, () =>
    using(UNLIMITED, async (peer, user) => {
      const sent = await beginAll(user, 4);
      const messages = await receive(peer, 4);
      await peer.send(answerTo(messages[2]!.id));
      assert.equal((await sent[2]!.answer).status, 0);
      await deed(peer);
      for (const n of [0, 1, 3]) await assert.rejects(sent[n]!.answer, endsAs(kind));
      await user.allAnswered();
      assert.equal(user.association.established, false);
    }));
}

Deno.test("a peer that takes one after another has the whole time for each", () =>
  using({ ...UNLIMITED, responseMs: 400 }, async (peer, user) => {
    const sent = await beginAll(user, 4);
    for (const { id } of await receive(peer, 4)) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      await peer.send(answerTo(id));
    }
    const statuses = (await Promise.all(sent.map((one) => one.answer))).map(({ status }) => status);
    assert.deepEqual(statuses, [0, 0, 0, 0]);
  }));

Deno.test("a message that is never answered ends the association though later ones are answered", () =>
  using({ ...UNLIMITED, responseMs: 300 }, async (peer, user) => {
    const forgotten = (await begin(user, "1.1"))!;
    const over = assert.rejects(forgotten.answer, endsAs("timeout", /no answer to the request/));
    let answered = 0;
    await receive(peer, 1);
    const lost = (async () => {
      for (;;) {
        const sent = (await begin(user, "1.2"))!;
        const [message] = await receive(peer, 1);
        await peer.send(answerTo(message!.id));
        await sent.answer;
        answered++;
      }
    })();
    await over;
    await assert.rejects(lost);
    assert.ok(answered > 1, `${answered} were answered meanwhile`);
    assert.equal(user.association.established, false);
  }));

Deno.test("a source that does not vouch is aborted when those before it are answered, and is never sent whole", () =>
  using(UNLIMITED, async (peer, user) => {
    const sent = await beginAll(user, 2);
    const source = inMemory(noise(400_000));
    const bad = begin(user, "1.666", {
      length: source.length,
      read: (into) => source.read(into),
      vouch: () => false,
    });
    const messages = await receive(peer, 2);
    for (const { id } of messages.toReversed()) await peer.send(answerTo(id));
    for (const one of sent) assert.equal((await one.answer).status, 0);
    assert.equal(await bad, undefined);
    for (;;) {
      const { type, body } = await peer.receivePdu();
      if (type === PduType.Abort) break;
      for (const one of pdvsOf(body)) {
        assert.ok(one.command || !one.last, "the last fragment was sent");
      }
    }
  }));

Deno.test("a breach that comes while a request is being written closes the connection: no A-ABORT lands inside the request", () =>
  using(UNLIMITED, async (peer, user) => {
    const first = (await begin(user, "1.1"))!;
    const gone = assert.rejects(first.answer, endsAs("protocol"));
    await receive(peer, 1);
    peer.stopReading();
    const stuck = begin(user, "1.2", inMemory(noise(40_000_000)));
    await peer.send(answerTo(4711));
    await gone;
    await assert.rejects(stuck, endsAs("protocol"));
    peer.startReading();
    const rest = await peer.receiveRest();
    // What came of it is whole PDUs of the data set, the last one cut; none of them is an A-ABORT.
    for (let at = 0; at < rest.length;) {
      assert.equal(rest[at], PduType.Data);
      at += 6 + new DataView(rest.buffer, rest.byteOffset).getUint32(at + 2);
      if (at + 6 > rest.length) break;
    }
  }));

Deno.test("a peer busy with what it has may take no more for as long as its answer may take", () => {
  const busy = { responseMs: 10_000, writeStallMs: 500, maxPduLength: 131_072 };
  return using({ ...UNLIMITED, ...busy }, async (peer, user) => {
    const first = (await begin(user, "1.1"))!;
    const [message] = await receive(peer, 1);
    peer.stopReading();
    let sent = false;
    const second = begin(user, "1.2", inMemory(noise(16_000_000))).finally(() => sent = true);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(sent, false, "the peer takes no more");
    peer.startReading();
    const [next] = await receive(peer, 1);
    await peer.send(answerTo(message!.id), answerTo(next!.id));
    assert.equal((await first.answer).status, 0);
    assert.equal((await (await second)!.answer).status, 0);
  });
});

Deno.test("no message id is given to two that are outstanding, however many come between", async () => {
  const ids: number[] = [];
  let held = 0;
  // An association that answers by itself all but the first.
  const waiting: number[] = [];
  let wake = () => {};
  const association = {
    fragmentLength: 16378,
    acceptedContexts: new Map([[1, { id: 1 }]]),
    expectWithin() {},
    send(pdu: Uint8Array) {
      const id = decodeCommand(pdu.subarray(12)).messageId!;
      ids.push(id);
      if (held === 0) held = id;
      else waiting.push(id);
      wake();
      return Promise.resolve();
    },
    async next() {
      while (waiting.length === 0) await new Promise<void>((resolve) => wake = resolve);
      return {
        type: PduType.Data,
        contextId: 1,
        command: true,
        last: true,
        bytes: encodeCommand({
          commandField: 0x8030,
          messageIdBeingRespondedTo: waiting.shift()!,
          commandDataSetType: 0x0101,
          status: 0,
        }),
      };
    },
  };
  const user = new ServiceUser(association as unknown as Association, 1000);
  const first = user.echo(1, VERIFICATION);
  for (let n = 0; n < 65_536; n++) await user.echo(1, VERIFICATION);
  assert.equal(held, 1);
  assert.equal(ids.slice(1).includes(1), false);
  assert.deepEqual(ids.slice(65_533, 65_537), [65_534, 65_535, 2, 3]);
  waiting.push(held);
  wake();
  await first;
});
