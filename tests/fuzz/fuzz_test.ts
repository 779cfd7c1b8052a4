/*
 * The short form of the fuzzing, with a seed of its own; `campaign.ts` is the long one.
 *
 * Also that a fuzzer can find something at all, where that is not plain: the oracle is shown what must not pass.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeCommand } from "../../src/dimse/command.ts";
import { associateAccept, commandPdu, CT, dataPdu, pdv } from "../helpers/pdus.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { storeRequest } from "../helpers/provider.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { keyOf, statusSaid, storedIn } from "./answers.ts";
import { fuzzCommands } from "./command_fuzz.ts";
import { fuzzDataSets } from "./data_set_fuzz.ts";
import { mutate, MUTATORS, parsePdus, write } from "./grammar.ts";
import { LyingDestination } from "./lying_destination.ts";
import { fuzzPdus } from "./pdu_fuzz.ts";
import { Random, Violation } from "./random.ts";
import { fuzzSessions } from "./session_fuzz.ts";

const SEED = 20261124;

Deno.test("500,000 made and spoilt PDUs are read the same twice and in pieces, or are malformed", async () => {
  const figures = await fuzzPdus(500_000, SEED);
  assert.ok(figures.malformed > 20_000, `${figures.malformed} malformed`);
  assert.ok(figures.roundTrips > 50_000, `${figures.roundTrips} round trips`);
});

Deno.test("40,000 made and spoilt data sets are read, cut short or unreadable, whatever the pieces", () => {
  const figures = fuzzDataSets(40_000, SEED);
  for (const state of ["complete", "truncated", "unreadable"] as const) {
    assert.ok(figures[state] > 1000, `${figures[state]} ${state}`);
  }
});

Deno.test("20,000 spoilt requests and answers: each answer is to its request, Success is never misheard", async () => {
  const figures = await fuzzCommands(20_000, SEED);
  assert.ok(figures.stored > 500, `${figures.stored} stored`);
  assert.ok(figures.delivered > 100, `${figures.delivered} delivered`);
  assert.ok(figures.ended > 2000, `${figures.ended} ended`);
});

Deno.test("3,000 spoilt sessions leave a forwarder serving, nothing lost, nothing partial, nothing open", async () => {
  const figures = await fuzzSessions({
    sessions: 3000,
    seed: SEED,
    canaryMs: 5000,
    mostGrowth: 150 * 1024 * 1024,
  });
  assert.equal(figures.sessions, 3000);
  assert.ok(figures.accepted > 500, `${figures.accepted} accepted`);
  assert.ok(figures.acknowledged > 500, `${figures.acknowledged} acknowledged`);
  assert.equal(figures.canaries, 31);
  assert.equal(figures.fdsEnd, figures.fdsStart);
});

Deno.test("a destination that answers nonsense is never believed: 40 instances stay queued until each is truly taken", async () => {
  await using scratch = await Scratch.make();
  await using destination = new LyingDestination(new Random(SEED), 150);
  await using forwarder = await Forwarder.start(scratch.path, {
    destinations: [nodeAt("liar", destination.port, {
      associations: 2,
      retry_attempts: 100,
      timeouts: { response: 5 },
    })],
  }, { backOff: { firstMs: 5, mostMs: 20 } });
  const instances = Array.from(
    { length: 40 },
    (_, n) => instanceOf({ sopInstanceUid: `1.2.88.${n}` }),
  );
  await sendAll(forwarder.port, instances);
  await forwarder.delivered("liar", instances.length);
  assert.equal(forwarder.destination("liar").failed, 0);
  assert.ok(destination.lies > 50, `${destination.lies} lies`);
  for (const { sopInstanceUid, dataSet } of instances) {
    assert.ok(
      destination.taken.has(keyOf(sopInstanceUid, dataSet)),
      `${sopInstanceUid} was not taken`,
    );
  }
});

// The tools themselves.
const STORE = storeRequest(7, { affectedSopInstanceUid: "1.2.3" });
const DATA = Uint8Array.of(8, 0, 5, 0, 0x43, 0x53, 2, 0, 0x41, 0x20);
const SENT = concat([commandPdu(3, STORE), dataPdu(pdv(3, "data", true, DATA))]);

function answered(messageId: number, status: number): Uint8Array {
  return commandPdu(3, {
    commandField: 0x8001,
    messageIdBeingRespondedTo: messageId,
    commandDataSetType: 0x0101,
    status,
  });
}

Deno.test("the oracle counts a Success to the message that was sent, and takes no other for one", () => {
  assert.deepEqual(storedIn(SENT, answered(7, 0)), [keyOf("1.2.3", DATA)]);
  assert.deepEqual(storedIn(SENT, answered(7, 0xa700)), []);
  assert.throws(() => storedIn(SENT, answered(8, 0)), Violation);
  assert.throws(() => storedIn(SENT, concat([answered(7, 0), answered(7, 0)])), Violation);
  const cut = SENT.subarray(0, SENT.length - 1);
  assert.throws(() => storedIn(cut, answered(7, 0)), Violation);
});

Deno.test("the oracle hears a status only where field, message and status are said and nothing against them", () => {
  const success = {
    commandField: 0x8001,
    messageIdBeingRespondedTo: 1,
    affectedSopClassUid: CT,
    commandDataSetType: 0x0101,
    status: 0,
  };
  assert.equal(statusSaid(encodeCommand(success), 1), 0);
  assert.equal(statusSaid(encodeCommand(success), 2), undefined);
  assert.equal(statusSaid(encodeCommand({ ...success, status: 0xa700 }), 1), 0xa700);
  assert.equal(statusSaid(encodeCommand({ ...success, commandField: 0x8030 }), 1), undefined);
  const { status: _, ...silent } = success;
  assert.equal(statusSaid(encodeCommand(silent), 1), undefined);
  const contradicted = concat([
    encodeCommand(success),
    Uint8Array.of(0, 0, 0, 9, 2, 0, 0, 0, 0, 0xa7),
  ]);
  assert.equal(statusSaid(contradicted, 1), undefined);
});

Deno.test("a parsed session is written as it was, and each mutator changes it in its own way, repeatably", () => {
  const session = concat([associateAccept([{ id: 3, result: 0, transferSyntax: "1.2" }]), SENT]);
  const tree = parsePdus(session);
  assert.deepEqual(write(tree), session);
  for (const mutator of MUTATORS) {
    const results = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const once = mutate(tree, new Random(seed), 1, [mutator]);
      assert.deepEqual(mutate(tree, new Random(seed), 1, [mutator]), once, `${mutator} repeats`);
      results.add(once.join());
    }
    results.delete(session.join());
    assert.ok(results.size > 3, `${mutator} makes ${results.size} others`);
  }
  assert.deepEqual(write(tree), session, "the tree is as it was");
});
