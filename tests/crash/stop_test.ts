/* A stop in order while instances are being received (CR-14). */

import assert from "node:assert/strict";
import { inMemory, type OutgoingDataSet } from "../../src/dimse/scu.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { generateStudy } from "../../src/cli/demo_study.ts";
import { sha256 } from "../helpers/hashes.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until, within } from "../helpers/until.ts";
import { isDrained } from "./held.ts";
import type { MintedInstance } from "./mint.ts";
import { Oracle } from "./oracle.ts";

const STORES = 8;
/** timeouts.stop where the configuration says nothing, and some time for the process to end. */
const STOP_MS = 20_000;

/** A data set that stops half way until it is told to go on. */
class Halting implements OutgoingDataSet {
  readonly #whole: OutgoingDataSet;
  readonly #goOn = Promise.withResolvers<void>();
  readonly #half = Promise.withResolvers<void>();
  #left: number;

  constructor(instance: MintedInstance) {
    this.#whole = inMemory(instance.dataSet);
    this.#left = this.#whole.length;
  }

  get length(): number {
    return this.#whole.length;
  }

  /** Resolves when it has come half way. */
  get half(): Promise<void> {
    return this.#half.promise;
  }

  goOn(): void {
    this.#goOn.resolve();
  }

  async read(into: Uint8Array): Promise<void> {
    this.#left -= into.length;
    if (this.#left <= this.#whole.length / 2) {
      this.#half.resolve();
      await this.#goOn.promise;
    }
    await this.#whole.read(into);
  }

  vouch(): boolean {
    return this.#whole.vouch();
  }
}

/** Larger than all buffers on the way, so that half of one is under way when its sender halts. */
function largeInstances(): MintedInstance[] {
  const study = generateStudy({ instances: STORES, rows: 900, columns: 900, seed: 14 });
  return [...study].map((one) => ({ ...one, hash: sha256(one.dataSet), archivePath: "" }));
}

/** Eight stores half way, and the books. */
async function withStores(
  use: (house: {
    daemon: DaemonProcess & { port: number };
    stores: Halting[];
    answers: Promise<number | undefined>[];
  }) => Promise<void>,
): Promise<void> {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const settings = { destinations: [nodeAt("pacs", sink.port)] };
  const spool = scratch.at("spool");
  const oracle = new Oracle({ spool, sinks: { pacs: sink } });
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    const instances = largeInstances();
    const stores = instances.map((instance) => new Halting(instance));
    const answers = instances.map(async (instance, n) => {
      const sender = await Sender.open(daemon.port, { responseMs: 60_000 });
      oracle.begin(instance);
      try {
        const status = await sender.stream(instance, stores[n]!);
        if (status === 0) oracle.acknowledge(instance.sopInstanceUid);
        await sender.association.release();
        return status;
      } catch (error) {
        if (!(error instanceof AssociationError)) throw error;
        return undefined;
      }
    });
    await Promise.all(stores.map((store) => store.half));
    await use({ daemon, stores, answers });
    // What still stands half way runs into the end of its connection.
    for (const store of stores) store.goOn();
    await Promise.all(answers);
    await daemon.exit();
  }
  oracle.conserve("after the stop");
  {
    await using daemon = await DaemonProcess.start(scratch.path, settings);
    await oracle.drained(30_000, "after the stop");
    await until(() => isDrained(spool), 30_000, "the queue to be empty");
    daemon.signal("SIGTERM");
    await daemon.exit();
  }
  oracle.close("at the end");
  oracle.assertHolds();
}

Deno.test("a stop during 8 stores finishes those that go on, refuses the others within 20 s and ends with 0", () =>
  withStores(async ({ daemon, stores, answers }) => {
    const began = performance.now();
    daemon.signal("SIGTERM");
    await daemon.says(/Forwarder is stopping/);
    for (const store of stores.slice(0, 4)) store.goOn();
    assert.deepEqual(await Promise.all(answers.slice(0, 4)), [0, 0, 0, 0]);
    const status = await within(daemon.exit(), STOP_MS + 10_000, "the process to end");
    const took = performance.now() - began;
    assert.equal(status.code, 0, daemon.said);
    assert.ok(took < STOP_MS + 1500, `it took ${Math.round(took)} ms`);
    for (const store of stores) store.goOn();
    assert.deepEqual(await Promise.all(answers.slice(4)), Array(4).fill(undefined));
  }));

Deno.test("a kill 5 s into a stop during 8 stores, as a system that shuts down does it, loses nothing", () =>
  withStores(async ({ daemon, stores, answers }) => {
    daemon.signal("SIGTERM");
    await daemon.says(/Forwarder is stopping/);
    for (const store of stores.slice(0, 4)) store.goOn();
    await Promise.all(answers.slice(0, 4));
    await pass(5000);
    daemon.signal("SIGKILL");
    assert.equal((await daemon.exit()).signal, "SIGKILL");
  }));
