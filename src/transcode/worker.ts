/*
 * The worker that converts stored instances: one file in, one data set out, all of its memory gone when it is
 * terminated.
 *
 * It reads only the file it is named. A data set that does not agree with its CRC-32 is never converted: the answer is
 * "corrupt", and what to do about it is the spool's business.
 */

import { crc32 } from "node:zlib";
import { transferSyntaxName } from "../dicom/uid.ts";
import { DataSetTranscoder } from "./data_set.ts";
import { CannotTranscode } from "./error.ts";
import type { TranscodeRequest, TranscodeResult, WorkerRequest } from "./request.ts";

/** The side of a worker's global object that faces the main thread; the compiler is set up for the main thread's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(result: TranscodeResult, transfer: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
let transcoder: DataSetTranscoder | null = null;

scope.onmessage = (event) => {
  const message = event.data;
  if (message.kind === "start") transcoder = new DataSetTranscoder(message.maxBytes);
  else void answer(message.request);
};

async function answer(request: TranscodeRequest): Promise<void> {
  const result = await run(request);
  const transfer = result.kind === "transcoded" ? [result.dataSet.buffer as ArrayBuffer] : [];
  scope.postMessage(result, transfer);
}

async function run(request: TranscodeRequest): Promise<TranscodeResult> {
  try {
    if (transcoder === null) throw new Error("The worker was sent a job before its start");
    const stored = await read(request);
    if (stored === null || crc32(stored) !== request.crc32 >>> 0) return { kind: "corrupt" };
    const dataSet = await transcoder.convert(stored, request.from, request.to);
    return { kind: "transcoded", dataSet };
  } catch (error) {
    return { kind: "impossible", reason: sentence(request, error) };
  }
}

/** The stored data set, or null where the file is shorter than it should be. */
async function read(request: TranscodeRequest): Promise<Uint8Array | null> {
  using file = await Deno.open(request.path, { read: true });
  await file.seek(request.dataSetOffset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(request.dataSetLength);
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) return null;
    done += count;
  }
  return bytes;
}

function sentence(request: TranscodeRequest, error: unknown): string {
  const names = `${transferSyntaxName(request.from)} to ${transferSyntaxName(request.to)}`;
  // A foreign message may be several lines long and end in anything; it is quoted as one.
  const detail = (error instanceof Error ? error.message : String(error))
    .replace(/\s+/g, " ").trim().slice(0, 300);
  const why = error instanceof CannotTranscode
    ? detail
    : error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied
    ? `its file cannot be read (${detail})`
    : error instanceof WebAssembly.RuntimeError
    ? `the decoder gave up on its compressed image, which may be damaged (${detail})`
    : `the decoder failed (${detail})`;
  return `The instance cannot be converted from ${names}: ${why}.`;
}
