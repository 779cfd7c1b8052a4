/*
 * Rounds of a disk that fills up while instances come in, and has room again a little later.
 *
 * In each round several senders store, the disk is filled at a chance moment, the destination takes what waits while
 * nothing is free, and room comes back. Throughout: what was answered Success arrives whole, what was not got one of the
 * answers that make a sender try again, and service resumes by itself.
 */

import assert from "node:assert/strict";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { Forwarder, nodeAt } from "../helpers/forwarder.ts";
import { factsOf, sha256 } from "../helpers/hashes.ts";
import { noise } from "../helpers/hex.ts";
import { dataSetOf, instanceOf, type TestInstance } from "../helpers/instances.ts";
import { captureLog } from "../helpers/log_file.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import type { SmallDisk } from "../helpers/small_disk.ts";
import { until } from "../helpers/until.ts";
import { join } from "node:path";

export interface DiskFullOptions {
  readonly disk: SmallDisk;
  readonly rounds: number;
  readonly seed: number;
  /** `minimum_free_space`: 0 lets the disk fill to the last byte. */
  readonly minimumFreeSpace: string | number;
  /** A second destination refuses everything: what it refuses has to be kept apart, room or no room. */
  readonly alsoRefused?: boolean;
  readonly progress?: (text: string) => void;
}

export interface DiskFullFigures {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly refusedInstances: number;
  readonly refusedAssociations: number;
  readonly slowestResumeMs: number;
}

const SENDERS = 3;
/** C-STORE statuses that leave the instance with its sender for another time. */
const TRY_AGAIN: readonly number[] = [0xa700, 0x0110];
/** Longest time until service resumes once there is room, in ms. */
const RESUME_MS = 10_000;

/** A linear congruential generator: the same moments each time. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** The senders' own record of what they were promised. */
class Senders {
  /** UID to hash of everything begun. */
  readonly begun = new Map<string, string>();
  readonly acknowledged = new Set<string>();
  /** Found in failed/ and taken from there. */
  readonly taken = new Set<string>();
  refusedInstances = 0;
  refusedAssociations = 0;
  readonly #random: (below: number) => number;
  #next = 0;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  /** Sends one instance after the other, over a new association after each refusal, until told to stop. */
  async send(port: number, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      try {
        await using sender = await Sender.open(port);
        while (goesOn() && await this.#store(sender));
      } catch (error) {
        if (!(error instanceof AssociationError) || error.reject === undefined) throw error;
        const { result, source, reason } = error.reject;
        assert.deepEqual([result, source, reason], [2, 3, 2], "rejected for another reason");
        this.refusedAssociations++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** True where it was answered Success. */
  async #store(sender: Sender): Promise<boolean> {
    const instance = this.#instance();
    this.begun.set(instance.sopInstanceUid, sha256(instance.dataSet));
    const status = await sender.send(instance);
    if (status === 0) {
      this.acknowledged.add(instance.sopInstanceUid);
      return true;
    }
    assert.ok(TRY_AGAIN.includes(status), `answered 0x${status.toString(16)}`);
    this.refusedInstances++;
    return false;
  }

  #instance(): TestInstance {
    const sopInstanceUid = `1.2.826.0.1.3680043.10.7.${++this.#next}`;
    // Some fit into the buffer that is written at once, some do not.
    const length = 2 * this.#random(this.#next % 4 === 0 ? 400_000 : 20_000);
    const pixels = encodeDataSet([[0x7fe10010, "OW", noise(length, this.#next)]]);
    return {
      ...instanceOf({ sopInstanceUid }),
      dataSet: concat([dataSetOf({ sopInstanceUid }), pixels]),
    };
  }
}

/** Runs the rounds; throws where anything is lost, changed, refused for good or slow to come back. */
export async function fillAgainAndAgain(options: DiskFullOptions): Promise<DiskFullFigures> {
  const { disk, rounds, progress = () => {} } = options;
  const random = randomFrom(options.seed);
  await using scratch = await Scratch.make();
  let gate = Promise.withResolvers<void>();
  await using sink = new Sink({ answer: () => gate.promise.then(() => 0) });
  await using refusing = new Sink({ answer: () => 0xc000 });
  const destinations = [nodeAt("pacs", sink.port)];
  if (options.alsoRefused) {
    destinations.push(nodeAt("refusing", refusing.port, { retry_attempts: 0 }));
  }
  const log = await captureLog(join(disk.path, "logs"));
  const senders = new Senders(random);
  let slowestResumeMs = 0;
  try {
    await using forwarder = await Forwarder.start(scratch.path, {
      spool_dir: join(disk.path, "spool"),
      minimum_free_space: options.minimumFreeSpace,
      destinations,
    }, disk.files === undefined ? {} : { files: disk.files });
    for (let round = 1; round <= rounds; round++) {
      gate = Promise.withResolvers();
      const { refusedInstances, refusedAssociations, acknowledged } = senders;
      const before = acknowledged.size;
      let stopped = false;
      const sending = Promise.all(
        Array.from({ length: SENDERS }, () => senders.send(forwarder.port, () => !stopped)),
      );
      try {
        const stored = 5 + random(60);
        await alongside(
          sending,
          until(() => acknowledged.size >= before + stored, 60_000, `${stored} instances stored`),
        );
        await disk.fill();
        const refusals = () =>
          senders.refusedInstances - refusedInstances + senders.refusedAssociations -
          refusedAssociations;
        // What ends an association must not end the attempts: each sender comes back and is refused again.
        await alongside(
          sending,
          until(
            () => {
              disk.topUp();
              return refusals() >= SENDERS + random(4);
            },
            60_000,
            "a refusal for want of room",
          ),
        );
      } finally {
        stopped = true;
      }
      await sending;
      disk.topUp();
      gate.resolve();
      await sink.until(
        () => acknowledged.isSubsetOf(sink.uids()),
        60_000,
        `round ${round}: all of ${acknowledged.size} delivered with nothing free`,
      );
      disk.empty();
      const room = performance.now();
      const last = acknowledged.size;
      await senders.send(forwarder.port, () => acknowledged.size === last);
      slowestResumeMs = Math.max(slowestResumeMs, performance.now() - room);
      assert.ok(slowestResumeMs <= RESUME_MS, `resumed after ${Math.round(slowestResumeMs)} ms`);
      if (options.alsoRefused) await takeRefused(join(disk.path, "spool"), senders);
      progress(`round ${round} of ${rounds}: ${acknowledged.size} stored and safe`);
    }
    await sink.until(
      () => senders.acknowledged.isSubsetOf(sink.uids()),
      60_000,
      "the last one to be delivered",
    );
    await forwarder.stop();
  } finally {
    await log();
  }
  for (const { sopInstanceUid, hash } of sink.arrivals) {
    assert.equal(hash, senders.begun.get(sopInstanceUid), `${sopInstanceUid} was changed`);
  }
  const health = JSON.parse(Deno.readTextFileSync(join(disk.path, "spool", "health.json")));
  assert.equal(
    health.destinations.length,
    destinations.length,
    "health.json was written when there was room again",
  );
  const left = filesIn(join(disk.path, "spool")).filter((path) => /\.(dcm|part)$/.test(path));
  assert.deepEqual(left, [], "files left in the spool");
  return {
    rounds,
    acknowledged: senders.acknowledged.size,
    refusedInstances: senders.refusedInstances,
    refusedAssociations: senders.refusedAssociations,
    slowestResumeMs: Math.round(slowestResumeMs),
  };
}

/** Waits until all that was acknowledged and not yet taken lies whole in failed/, and takes it from there. */
async function takeRefused(spool: string, senders: Senders): Promise<void> {
  const wanted = senders.acknowledged.difference(senders.taken);
  const folder = join(spool, "failed", "refusing");
  await until(
    () => filesIn(folder).filter((path) => path.endsWith(".dcm")).length >= wanted.size,
    60_000,
    `${wanted.size} refused instances in failed/`,
  );
  for (const path of filesIn(folder)) {
    if (path.endsWith(".dcm")) {
      const { sopInstanceUid, hash } = factsOf(path);
      assert.equal(hash, senders.begun.get(sopInstanceUid), `${sopInstanceUid} was changed`);
      senders.taken.add(sopInstanceUid);
    }
    Deno.removeSync(path);
  }
  assert.ok(wanted.isSubsetOf(senders.taken), "one that was refused is nowhere");
}

/** The second promise, unless the first one fails meanwhile. */
async function alongside(work: Promise<unknown>, wanted: Promise<void>): Promise<void> {
  await Promise.race([wanted, work.then(() => wanted)]);
}
