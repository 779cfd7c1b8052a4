/*
 * A long queue: how soon the forwarder listens after a start, and what it holds then.
 *
 * The queue is written as files under the spool's own names and in its own form, which is how a forwarder leaves it.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { concat } from "../../src/dicom/bytes.ts";
import { encodeFileMeta, PREAMBLE_LENGTH } from "../../src/dicom/part10.ts";
import { EXPLICIT_VR_LE } from "../../src/dicom/uid.ts";
import { formatSlot, putCommitRecord } from "../../src/spool/commit_record.ts";
import { bucketOf, crcOf, formatBase, formatName, hashStudy } from "../../src/spool/entry_name.ts";
import { formatEvent } from "../../src/ledger/event.ts";
import { ledgerFileName } from "../../src/ledger/files.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { freePort } from "../helpers/child.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { sha256 } from "../helpers/hashes.ts";
import { instanceOf } from "../helpers/instances.ts";
import { Scratch } from "../helpers/scratch.ts";
import { sendAll } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";

const MIB = 1024 * 1024;
const PER_STUDY = 250;

/**
 * Fills a spool's queue, and its ledger with what was accepted.
 *
 * @returns UID to hash of the first few, which are the oldest
 */
export function writeQueue(
  spoolDir: string,
  count: number,
  destination: string,
): Map<string, string> {
  for (let n = 0; n < 256; n++) {
    const bucket = n.toString(16).padStart(2, "0");
    Deno.mkdirSync(join(spoolDir, "queue", bucket), { recursive: true });
  }
  Deno.writeTextFileSync(join(spoolDir, "VERSION"), "1\n");
  const oldest = new Map<string, string>();
  Deno.mkdirSync(join(spoolDir, "ledger"), { recursive: true });
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  const ledger = join(spoolDir, "ledger", ledgerFileName(day, 1));
  let lines = "";
  const receivedMs = Date.now() - 86_400_000;
  for (let n = 1; n <= count; n++) {
    const studyUid = `1.2.826.0.1.3680043.10.3.${Math.ceil(n / PER_STUDY)}`;
    const instance = instanceOf({ sopInstanceUid: `${studyUid}.1.${n}`, studyUid });
    const { dataSet } = instance;
    const meta = encodeFileMeta({
      sopClassUid: instance.sopClassUid,
      sopInstanceUid: instance.sopInstanceUid,
      transferSyntaxUid: EXPLICIT_VR_LE,
      sourceAeTitle: "MODALITY",
      receivingAeTitle: "DICOMFORWARDER",
    });
    const studyHash = hashStudy(studyUid);
    const identity = { receivedMs: receivedMs + n, sequence: n, studyHash, crc32: crc32(dataSet) };
    const file = concat([new Uint8Array(PREAMBLE_LENGTH), meta, dataSet]);
    putCommitRecord(file, {
      ...identity,
      dataSetOffset: PREAMBLE_LENGTH + meta.length,
      dataSetLength: dataSet.length,
      metaCrc32: crc32(meta),
      slot: formatSlot(receivedMs, n),
    });
    const base = formatBase(identity);
    lines += formatEvent({
      event: "accepted",
      id: base,
      at: new Date(identity.receivedMs).toISOString(),
      sop: instance.sopInstanceUid,
      class: instance.sopClassUid,
      syntax: EXPLICIT_VR_LE,
      study: studyUid,
      from: "MODALITY",
      peer: "10.0.0.7:50000",
      bytes: dataSet.length,
      crc32: crcOf(base),
      for: [destination],
    });
    const name = formatName(base, [{ destination, tries: 0 }]);
    Deno.writeFileSync(join(spoolDir, "queue", bucketOf(studyHash), name), file);
    if (n % 1000 === 0 || n === count) {
      Deno.writeTextFileSync(ledger, lines, { append: true });
      lines = "";
    }
    if (n <= 100) oldest.set(instance.sopInstanceUid, sha256(dataSet));
  }
  return oldest;
}

export interface BacklogFigures {
  readonly queued: number;
  readonly secondsToListen: number;
  /** Of the forwarder, after one more has come in and the first have left. */
  readonly peakMiB: number;
}

/**
 * Starts on a queue of so many, receives one more, and lets some of it go.
 *
 * @param folder where the spool is made; a disk in memory makes it sooner
 * @throws where the start takes too long, memory is over `mostMiB`, or what leaves is not what was queued
 */
export async function startOnBacklog(options: {
  readonly entries: number;
  readonly withinMs: number;
  readonly mostMiB: number;
  readonly folder?: string;
}): Promise<BacklogFigures> {
  const { entries, withinMs, mostMiB } = options;
  await using scratch = await Scratch.make();
  const spool = options.folder ?? scratch.at("spool");
  const oldest = writeQueue(spool, entries, "pacs");
  const port = freePort();
  const began = performance.now();
  await using daemon = new DaemonProcess(scratch.path, {
    spool_dir: spool,
    destinations: [nodeAt("pacs", port)],
  });
  const listening = await daemon.listening(withinMs + 30_000);
  const took = performance.now() - began;
  assert.match(daemon.said, new RegExp(`queued=${entries}\\b`));
  assert.ok(took < withinMs, `it listened after ${Math.round(took)} ms`);
  await sendAll(listening, [instanceOf({ sopInstanceUid: "1.2.3.4.5" })]);
  {
    await using sink = new Sink({ port });
    await sink.until(
      ({ arrivals }) => arrivals.length >= oldest.size,
      60_000,
      `the oldest of ${entries} to be delivered`,
    );
    const uids = sink.uids();
    // Several associations share the line, so that its beginning arrives nearly in order.
    const first = [...oldest].slice(0, oldest.size / 2);
    for (const [uid] of first) assert.ok(uids.has(uid), `${uid} was not among the first`);
    for (const { sopInstanceUid, hash } of sink.arrivals) {
      assert.equal(hash, oldest.get(sopInstanceUid) ?? hash, `${sopInstanceUid} differs`);
    }
  }
  const peakMiB = Math.round(daemon.peakMemory() / MIB);
  assert.ok(peakMiB < mostMiB, `peak resident memory was ${peakMiB} MiB`);
  return { queued: entries, secondsToListen: Number((took / 1000).toFixed(2)), peakMiB };
}
