/*
 * Memory of the running forwarder: many large instances at a time, many associations one after another, one huge
 * instance. The senders make their bytes as they go; what is measured is the forwarder's process alone.
 */

import assert from "node:assert/strict";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { freePort } from "../helpers/child.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { generatedInstance } from "../helpers/streams.ts";

const MIB = 1024 * 1024;

/** Associations until the heap has grown to what it needs for good. */
const WARM_UP = 8000;

export interface StreamFigures {
  readonly bytes: number;
  readonly seconds: number;
  /** Of the forwarder, in MiB. */
  readonly peakMiB: number;
}

/**
 * Sends instances in parallel, one for each association, and takes them back over `out` associations.
 *
 * @throws where one does not arrive byte for byte, or the peak of memory is over `mostMiB`
 */
export async function streamThrough(options: {
  readonly senders: number;
  readonly pixelBytes: number;
  readonly out: number;
  readonly mostMiB: number;
  readonly patienceMs: number;
}): Promise<StreamFigures> {
  const { senders, pixelBytes, out, mostMiB, patienceMs } = options;
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", sink.port, {
      associations: out,
      timeouts: { response: 600, write_stall: 600 },
    })],
    timeouts: { read: 600, write_stall: 600 },
  });
  const began = performance.now();
  let bytes = 0;
  const hashes = new Map<string, string>();
  await Promise.all(Array.from({ length: senders }, async (_, n) => {
    const instance = generatedInstance(`1.2.826.0.1.3680043.10.2.${n + 1}`, pixelBytes, n);
    await using sender = await Sender.open(daemon.port, {
      pairs: [instance],
      responseMs: patienceMs,
    });
    assert.equal(await sender.stream(instance, instance.dataSet), 0);
    bytes += instance.dataSet.length;
    hashes.set(instance.sopInstanceUid, instance.hash());
  }));
  await sink.received(senders, patienceMs);
  const seconds = (performance.now() - began) / 1000;
  const arrived = sink.arrivals.map((one) => [one.sopInstanceUid, one.hash] as const);
  assert.deepEqual(new Map(arrived), hashes);
  const peakMiB = Math.round(daemon.peakMemory() / MIB);
  assert.ok(peakMiB < mostMiB, `peak resident memory was ${peakMiB} MiB`);
  return { bytes, seconds: Math.round(seconds), peakMiB };
}

/**
 * Opens, uses and releases associations, a few at a time.
 *
 * @throws where memory grows by more than `mostMiB` or open files are left
 */
export async function openAndClose(options: {
  readonly associations: number;
  readonly mostMiB: number;
}): Promise<{ associations: number; growthMiB: number }> {
  const { associations, mostMiB } = options;
  await using scratch = await Scratch.make();
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("pacs", freePort())],
  });
  const some = async (count: number) => {
    let left = count;
    await Promise.all(Array.from({ length: 4 }, async () => {
      while (left-- > 0) {
        await using sender = await Sender.open(daemon.port);
        assert.equal(await sender.echo(), 0);
      }
    }));
  };
  await some(WARM_UP);
  const [memory, files] = [daemon.memory(), daemon.openFiles().length];
  await some(associations);
  const growthMiB = Math.round((daemon.memory() - memory) / MIB);
  assert.ok(growthMiB < mostMiB, `${growthMiB} MiB more after ${associations} associations`);
  assert.ok(
    daemon.openFiles().length <= files + 4,
    `${daemon.openFiles().length} files open, ${files} before`,
  );
  return { associations, growthMiB };
}
