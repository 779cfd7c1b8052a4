/*
 * Sudden death: the process is killed again and again while it receives and forwards, and started again on its spool.
 *
 * What the sender was answered Success for must reach both destinations. What it was not may arrive (the kill may come
 * between commit and answer), but nothing arrives in part or changed.
 */

import assert from "node:assert/strict";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import type { TestInstance } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass } from "../helpers/until.ts";

const KILLS = 8;
/** Destinations are slower than the senders, so that there is a backlog whenever the process dies. */
const ANSWER_MS = 40;
const SEED = 20260115;

/** A linear congruential generator: the same points of death each time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

class Modality {
  readonly #instances: Generator<TestInstance>;
  /** Of everything that was begun to be sent: UID and hash. */
  readonly begun: Map<string, string>;
  readonly acknowledged: Set<string>;

  constructor(seed: number, begun: Map<string, string>, acknowledged: Set<string>) {
    this.#instances = generateStudy({ instances: 100_000, rows: 320, columns: 320, seed });
    this.begun = begun;
    this.acknowledged = acknowledged;
  }

  /** Sends one instance after the other until the association ends. */
  async sendUntilCut(port: number, onSuccess: () => void): Promise<void> {
    const sender = await Sender.open(port);
    try {
      for (;;) {
        const instance = this.#instances.next().value as TestInstance;
        this.begun.set(instance.sopInstanceUid, sha256(instance.dataSet));
        const status = await sender.send(instance);
        assert.equal(status, 0);
        this.acknowledged.add(instance.sopInstanceUid);
        onSuccess();
      }
    } catch (error) {
      if (!(error instanceof AssociationError)) throw error;
    }
  }
}

Deno.test("every instance answered Success arrives whole at both destinations through 8 kills", async () => {
  await using scratch = await Scratch.make();
  const slow = { answer: () => pass(ANSWER_MS).then(() => 0) };
  await using first = new Sink(slow);
  await using second = new Sink(slow);
  const settings = { destinations: [nodeAt("first", first.port), nodeAt("second", second.port)] };
  const random = randomFrom(SEED);
  const begun = new Map<string, string>();
  const acknowledged = new Set<string>();
  const modalities = [1, 2].map((seed) => new Modality(seed, begun, acknowledged));
  let recovered = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    let left = 10 + random(60);
    const delayMs = random(20);
    const due = Promise.withResolvers<void>();
    const sending = modalities.map((modality) =>
      modality.sendUntilCut(daemon.port, () => {
        if (--left === 0) due.resolve();
      })
    );
    const ended = Promise.all(sending).then(() => {
      throw new Error(`the forwarder ended by itself:\n${daemon.said}`);
    });
    await Promise.race([due.promise, ended]);
    ended.catch(() => {});
    await pass(delayMs);
    daemon.signal("SIGKILL");
    await daemon.exit();
    await Promise.all(sending);
    recovered += [...acknowledged].filter((uid) => !first.uids().has(uid)).length;
  }
  await using _daemon = await DaemonProcess.start(scratch.path, settings);
  for (const sink of [first, second]) {
    await sink.until(
      () => acknowledged.isSubsetOf(sink.uids()),
      60_000,
      `${acknowledged.size} instances answered Success`,
    );
    for (const { sopInstanceUid, hash } of sink.arrivals) {
      assert.equal(hash, begun.get(sopInstanceUid), `${sopInstanceUid} differs from what was sent`);
    }
  }
  assert.ok(acknowledged.size >= KILLS * 10);
  // Otherwise the kills came when there was nothing to lose.
  assert.ok(recovered > KILLS, `only ${recovered} instances waited when the process died`);
});
