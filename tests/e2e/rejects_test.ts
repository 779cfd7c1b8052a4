/*
 * Destinations that reject the association, or accept one that is of no use: what the forwarder takes that for, how often
 * it asks again, and that nothing is lost by it (PS3.8 Tables 9-18 and 9-21).
 */

import assert from "node:assert/strict";
import { IMPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { type AnsweredContext, PduType, type ProposedContext } from "../../src/ul/pdu.ts";
import { assertConserved, heldFor } from "../helpers/conserved.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { hashesOf, instanceOfSize } from "../helpers/instances.ts";
import { associateAccept, CT, EXPLICIT, JPEG, reject } from "../helpers/pdus.ts";
import { acceptAll, ScriptedNode } from "../helpers/scripted_node.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { until } from "../helpers/until.ts";

interface Rejection {
  readonly result: number;
  readonly source: number;
  readonly reason: number;
  /** What the destination is then. */
  readonly state: "down" | "misconfigured";
}

/** Reasons by source, those the standard reserves included. */
const REASONS: Readonly<Record<number, readonly number[]>> = {
  1: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  2: [1, 2],
  3: [0, 1, 2, 3, 4, 5, 6, 7],
};

/** For good, by a user or its provider, with a reason that is about us: only a person can mend that. */
function wants(result: number, source: number, reason: number): Rejection["state"] {
  if (result === 1 && source === 1 && reason > 1) return "misconfigured";
  if (result === 1 && source === 2 && reason === 2) return "misconfigured";
  return "down";
}

const REJECTIONS: readonly Rejection[] = [1, 2].flatMap((result) =>
  [1, 2, 3].flatMap((source) =>
    REASONS[source]!.map((reason) => ({
      result,
      source,
      reason,
      state: wants(result, source, reason),
    }))
  )
);

/** Destinations of one forwarder: an entry's name has room for no more. */
const AT_A_TIME = 11;

for (let first = 0; first < REJECTIONS.length; first += AT_A_TIME) {
  const some = REJECTIONS.slice(first, first + AT_A_TIME);
  const names = some.map((one) => `${one.result}.${one.source}.${one.reason}`).join(" ");
  Deno.test(`destinations that reject with ${names} are told apart, and asked at their back-off only`, async () => {
    await using scratch = await Scratch.make();
    await using nodes = new AsyncDisposableStack();
    const cases = await Promise.all(some.map(async (rejection) => {
      const { result, source, reason } = rejection;
      const node = nodes.use(
        await ScriptedNode.listen(async (association) => {
          await association.request();
          await association.peer.send(reject(result, source, reason));
        }),
      );
      return { ...rejection, node, name: `r${result}-${source}-${reason}` };
    }));
    const backOff = { firstMs: 300, mostMs: 600 };
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: cases.map(({ name, node }) => nodeAt(name, node.port)),
    }, { backOff, random: () => 1 });
    const sent = [1, 2, 3].map((n) => instanceOfSize(`1.2.826.1.${n}`, 1000));
    await sendAll(forwarder.port, sent);
    await until(
      () =>
        cases.every(({ state, node }) =>
          node.associations.length >= (state === "down" ? 4 : 1) && node.associations.length > 0
        ),
      20_000,
      "all to be asked often enough",
    );
    await Promise.all(cases.map(async ({ name, state, node }) => {
      await until(() => forwarder.destination(name).health.state !== "up", 10_000, name);
      const { health, failed, delivered } = forwarder.destination(name);
      assert.deepEqual([name, health.state], [name, state]);
      assert.match(health.state === "up" ? "" : health.reason, /rejected for (good|now): \S/);
      assert.deepEqual([failed, delivered], [0, 0], "no instance pays for it");
      const gaps = node.associations.slice(1).map(({ at }, n) => at - node.associations[n]!.at);
      if (state === "misconfigured") assert.equal(gaps.length, 0, "then only every five minutes");
      // The first gap is 300 ms, the others 600; a connection may be noticed late, but the next one is not early for it.
      const span = node.associations.at(-1)!.at - node.associations[0]!.at;
      const least = gaps.length === 0 ? 0 : 300 + (gaps.length - 1) * 600;
      assert.ok(span > least - 150, `${name}: ${gaps.length + 1} attempts in ${span} ms`);
    }));
    await forwarder.stop();
    const hashes = hashesOf(sent);
    for (const { name } of cases) {
      assertConserved(hashes, hashes.keys(), [], name, scratch.at("spool"));
      assert.equal(heldFor(name, scratch.at("spool")).length, sent.length);
    }
  });
}

/** Answers each context with these numbers and this transfer syntax. */
function answering(
  result: (context: ProposedContext) => number,
  transferSyntax = (context: ProposedContext) => context.transferSyntaxes[0]!,
): (contexts: readonly ProposedContext[]) => AnsweredContext[] {
  return (contexts) =>
    contexts.map((context) => ({
      id: context.id,
      result: result(context),
      transferSyntax: transferSyntax(context),
    }));
}

interface UselessAnswer {
  readonly what: string;
  readonly answer: (contexts: readonly ProposedContext[]) => AnsweredContext[];
  readonly reason: RegExp;
}

const SOP_CLASS = /does not accept the SOP class/;
const SYNTAX = /accepts neither Explicit VR Little Endian nor an uncompressed transfer syntax/;

const USELESS: readonly UselessAnswer[] = [
  { what: "with result 1 (user rejection)", answer: answering(() => 1), reason: SOP_CLASS },
  { what: "with result 2 (no reason)", answer: answering(() => 2), reason: SOP_CLASS },
  { what: "with result 3 (abstract syntax)", answer: answering(() => 3), reason: SOP_CLASS },
  { what: "with result 4 (transfer syntaxes)", answer: answering(() => 4), reason: SYNTAX },
  { what: "by leaving them out", answer: () => [], reason: SOP_CLASS },
  {
    what: "by accepting ids that were never proposed",
    answer: () => [{ id: 99, result: 0, transferSyntax: EXPLICIT }],
    reason: SOP_CLASS,
  },
  {
    what: "by accepting a transfer syntax that was never proposed",
    answer: answering(() => 0, () => JPEG),
    reason: SYNTAX,
  },
];

for (const { what, answer, reason } of USELESS) {
  Deno.test(`contexts refused ${what}: nothing is sent, the instances are kept with the reason, no association is wasted`, async () => {
    await using scratch = await Scratch.make();
    await using node = await ScriptedNode.listen(async (association) => {
      await association.accept(answer);
      await association.serve(() => 0);
    });
    await using forwarder = await Forwarder.start(scratch.path, {
      destinations: [nodeAt("pacs", node.port)],
    });
    const sent = [1, 2, 3].map((n) => instanceOfSize(`1.2.826.1.${n}`, 1000));
    await sendAll(forwarder.port, sent);
    await forwarder.failed("pacs", sent.length);
    assert.match(forwarder.destination("pacs").lastAnswer, reason);
    assert.equal(node.seen.length, 0);
    assert.ok(node.associations.length <= 2, `${node.associations.length} associations`);
    assert.equal(forwarder.destination("pacs").health.state, "up");
    await forwarder.stop();
    const hashes = hashesOf(sent);
    assertConserved(hashes, hashes.keys(), [], "pacs", scratch.at("spool"));
    const held = heldFor("pacs", scratch.at("spool"));
    assert.ok(held.every(({ path }) => path.includes("failed")), "as failed");
  });
}

Deno.test("a SOP class taken in another transfer syntax only is converted where that is allowed, else refused", async () => {
  await using scratch = await Scratch.make();
  const open = () =>
    ScriptedNode.listen(async (association) => {
      const { contexts } = await association.accept(
        answering(({ transferSyntaxes }) => transferSyntaxes[0] === IMPLICIT_VR_LE ? 0 : 4),
      );
      await association.serve(({ contextId }) => {
        const context = contexts.find(({ id }) => id === contextId);
        assert.deepEqual(context?.transferSyntaxes, [IMPLICIT_VR_LE]);
        return 0;
      });
    });
  await using converted = await open();
  await using refused = await open();
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [
      nodeAt("converted", converted.port),
      nodeAt("refused", refused.port, { transcode: false }),
    ],
  });
  const sent = [instanceOfSize("1.2.826.1.1", 1000)];
  await sendAll(forwarder.port, sent);
  await forwarder.delivered("converted", 1);
  await forwarder.failed("refused", 1);
  assert.equal(converted.taken.length, 1);
  assert.equal(refused.seen.length, 0);
  assert.match(forwarder.destination("refused").lastAnswer, SYNTAX);
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), [], "refused", scratch.at("spool"));
});

Deno.test("an acceptance that flips the roles nobody negotiated changes nothing: the instances arrive", async () => {
  await using scratch = await Scratch.make();
  await using node = await ScriptedNode.listen(async (association) => {
    const { contexts } = await association.request();
    await association.peer.send(associateAccept(acceptAll(contexts), 16384, {
      roleSelections: [{ sopClassUid: CT, scu: false, scp: true }],
    }));
    await association.serve(() => 0);
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", node.port)],
  });
  const sent = [1, 2, 3].map((n) => instanceOfSize(`1.2.826.1.${n}`, 1000));
  await sendAll(forwarder.port, sent);
  await forwarder.delivered("pacs", sent.length);
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), node.taken, "pacs", scratch.at("spool"));
  assert.equal(node.seen.length, sent.length);
});

Deno.test("an acceptance in place of an answer to an instance is a breach of protocol: aborted, tried anew, arrived", async () => {
  await using scratch = await Scratch.make();
  const aborts: string[] = [];
  await using node = await ScriptedNode.listen(async (association, number) => {
    const { contexts } = await association.accept();
    if (number > 0) return association.serve(() => 0);
    await association.receiveStore();
    await association.peer.send(associateAccept(acceptAll(contexts)));
    // PS3.8 Table 9-10, Sta6: AA-8, source 2, reason 2 (unexpected PDU).
    aborts.push((await association.peer.expectPdu(PduType.Abort)).join(" "));
    association.peer.close();
  });
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("pacs", node.port)],
  });
  const sent = [1, 2, 3].map((n) => instanceOfSize(`1.2.826.1.${n}`, 1000));
  await sendAll(forwarder.port, sent);
  await forwarder.delivered("pacs", sent.length);
  assert.deepEqual(aborts, ["0 0 2 2"]);
  const hashes = hashesOf(sent);
  await forwarder.stop();
  assertConserved(hashes, hashes.keys(), node.taken, "pacs", scratch.at("spool"));
});
