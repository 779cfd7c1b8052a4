/*
 * The life of the worker: time-outs, break-downs, aborts, idleness; with workers of a few lines in place of the real one.
 */

import assert from "node:assert/strict";
import type { TranscodeRequest } from "../../src/transcode/request.ts";
import { Transcoder } from "../../src/transcode/transcoder.ts";
import { EXPLICIT, IMPLICIT } from "./fixture.ts";

const never = new AbortController().signal;

/** A worker made of a few lines, in place of the real one. */
function scripted(code: string): Worker {
  return new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
}

function anyRequest(): TranscodeRequest {
  return {
    path: "none",
    dataSetOffset: 0,
    dataSetLength: 1,
    crc32: 0,
    sopClassUid: "1.2",
    sopInstanceUid: "1.3",
    from: EXPLICIT,
    to: IMPLICIT,
  };
}

const BUSY = `onmessage = () => { for (;;); };`;
const SILENT = `onmessage = () => {};`;
const CRASHING = `onmessage = ({ data }) => { if (data.kind === "job") throw new Error("boom"); };`;
const WORKING = `onmessage = ({ data }) => {
  if (data.kind === "job") postMessage({ kind: "transcoded", dataSet: new Uint8Array(1) });
};`;

Deno.test("a job that takes too long is given up, and the next one has a new worker", async () => {
  const workers = [BUSY, WORKING];
  const transcoder = new Transcoder({
    // Long enough for the second worker to come up on a busy machine.
    timeoutMs: 1000,
    createWorker: () => scripted(workers.shift()!),
  });
  const [first, second] = await Promise.all([
    transcoder.transcode(anyRequest(), never),
    transcoder.transcode(anyRequest(), never),
  ]);
  transcoder.close();
  assert.match((first as { reason: string }).reason, /: it takes longer than 1 s\.$/);
  assert.equal(second.kind, "transcoded");
});

Deno.test("a worker that breaks down fails its job only, and not the process", async () => {
  const workers = [CRASHING, WORKING];
  const transcoder = new Transcoder({ createWorker: () => scripted(workers.shift()!) });
  const [first, second] = await Promise.all([
    transcoder.transcode(anyRequest(), never),
    transcoder.transcode(anyRequest(), never),
  ]);
  transcoder.close();
  assert.match((first as { reason: string }).reason, /the converter broke down \(.*boom.*\)\.$/);
  assert.equal(second.kind, "transcoded");
});

Deno.test("an abort ends a running job and drops a waiting one, and others go on", async () => {
  const workers = [SILENT, WORKING];
  const transcoder = new Transcoder({ createWorker: () => scripted(workers.shift()!) });
  const [running, waiting] = [new AbortController(), new AbortController()];
  const jobs = [
    transcoder.transcode(anyRequest(), running.signal),
    transcoder.transcode(anyRequest(), waiting.signal),
    transcoder.transcode(anyRequest(), never),
  ];
  waiting.abort(new Error("no longer wanted"));
  await assert.rejects(jobs[1]!, /no longer wanted/);
  running.abort(new Error("shutting down"));
  await assert.rejects(jobs[0]!, /shutting down/);
  assert.equal((await jobs[2])?.kind, "transcoded");
  await assert.rejects(transcoder.transcode(anyRequest(), AbortSignal.abort()), {
    name: "AbortError",
  });
  transcoder.close();
});

Deno.test("an idle worker is ended, a later job starts another, and close rejects what is left", async () => {
  let started = 0;
  const ended = Promise.withResolvers<void>();
  const transcoder = new Transcoder({
    idleMs: 1,
    createWorker: () => {
      const worker = scripted(++started < 3 ? WORKING : SILENT);
      const terminate = worker.terminate.bind(worker);
      worker.terminate = () => (terminate(), ended.resolve());
      return worker;
    },
  });
  await transcoder.transcode(anyRequest(), never);
  assert.ok(transcoder.active);
  await ended.promise;
  assert.ok(!transcoder.active);
  await transcoder.transcode(anyRequest(), never);
  assert.equal(started, 2);
  transcoder.close();
  await assert.rejects(transcoder.transcode(anyRequest(), never), /shutting down/);

  const silent = new Transcoder({ createWorker: () => scripted(SILENT) });
  const left = [silent.transcode(anyRequest(), never), silent.transcode(anyRequest(), never)];
  silent.close();
  for (const job of left) await assert.rejects(job, /shutting down/);
});

Deno.test("an unknown transfer syntax is refused without starting a worker", async () => {
  const transcoder = new Transcoder({ createWorker: () => assert.fail("a worker was started") });
  const result = await transcoder.transcode(
    { ...anyRequest(), from: "1.2.840.10008.1.2.4.100", to: EXPLICIT },
    never,
  );
  assert.deepEqual(result, {
    kind: "impossible",
    reason:
      "The instance cannot be converted from MPEG2 Main Profile / Main Level to Explicit VR Little Endian: there is no decoder for it.",
  });
});
