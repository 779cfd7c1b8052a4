/*
 * Conversion of stored instances to an uncompressed transfer syntax, for destinations that refuse the stored one.
 *
 * Owns the worker: started when a job comes, one job at a time, ended when idle, aborted, late or broken, so that
 * decoders written in another language never share a thread, or for long a memory, with the receiver. It never touches
 * the stored file beyond reading it. A failure is an answer with a reason; only an abort is thrown.
 */

import { transferSyntaxName } from "../dicom/uid.ts";
import { canTranscode } from "./syntaxes.ts";
import type { TranscodeRequest, TranscodeResult, WorkerRequest } from "./request.ts";

export interface TranscoderOptions {
  /** The most a data set may take, stored or converted, in bytes. @default {536870912} */
  readonly maxBytes?: number;
  /** After this long a job is given up, in milliseconds. @default {120000} */
  readonly timeoutMs?: number;
  /** After this long without a job the worker is ended, in milliseconds. @default {30000} */
  readonly idleMs?: number;
  /** Makes the worker; for tests. */
  readonly createWorker?: () => Worker;
}

interface Job {
  readonly request: TranscodeRequest;
  readonly signal: AbortSignal;
  readonly resolve: (result: TranscodeResult) => void;
  readonly reject: (reason: unknown) => void;
}

/** Converts stored instances, one at a time, in a worker of its own. */
export class Transcoder {
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #idleMs: number;
  readonly #createWorker: () => Worker;
  readonly #waiting: Job[] = [];
  #worker: Worker | null = null;
  #running: Job | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: TranscoderOptions = {}) {
    this.#maxBytes = options.maxBytes ?? 512 * 1024 * 1024;
    this.#timeoutMs = options.timeoutMs ?? 120_000;
    this.#idleMs = options.idleMs ?? 30_000;
    this.#createWorker = options.createWorker ?? createWorker;
  }

  /** True while a worker, and the memory it holds, exists. */
  get active(): boolean {
    return this.#worker !== null;
  }

  /**
   * Converts one stored instance. Rejects only with the reason of `signal`, or with an error after `close`.
   */
  transcode(request: TranscodeRequest, signal: AbortSignal): Promise<TranscodeResult> {
    if (this.#closed) return Promise.reject(new Error("Cannot transcode: shutting down"));
    if (signal.aborted) return Promise.reject(signal.reason);
    if (!canTranscode(request.from, request.to)) {
      return Promise.resolve(impossible(request, "there is no decoder for it"));
    }
    if (request.dataSetLength > this.#maxBytes) {
      const limit = Math.floor(this.#maxBytes / 1048576);
      const size = Math.ceil(request.dataSetLength / 1048576);
      return Promise.resolve(
        impossible(request, `it is ${size} MiB, over the limit of ${limit} MiB for conversion`),
      );
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#abort(job);
      const settled = () => signal.removeEventListener("abort", onAbort);
      const job: Job = {
        request,
        signal,
        resolve: (result) => (settled(), resolve(result)),
        reject: (reason) => (settled(), reject(reason)),
      };
      signal.addEventListener("abort", onAbort);
      this.#waiting.push(job);
      this.#next();
    });
  }

  /** Ends the worker; jobs that run or wait are rejected. */
  close(): void {
    this.#closed = true;
    this.#endWorker();
    const jobs = this.#running === null ? this.#waiting : [this.#running, ...this.#waiting];
    this.#running = null;
    for (const job of jobs.splice(0)) job.reject(new Error("Cannot transcode: shutting down"));
    this.#waiting.length = 0;
  }

  #next(): void {
    if (this.#running !== null) return;
    clearTimeout(this.#timer);
    const job = this.#waiting.shift();
    if (job === undefined) {
      if (this.#worker !== null) this.#timer = setTimeout(() => this.#endWorker(), this.#idleMs);
      return;
    }
    this.#running = job;
    this.#timer = setTimeout(() => {
      this.#fail(job, `it takes longer than ${Math.round(this.#timeoutMs / 1000)} s`);
    }, this.#timeoutMs);
    try {
      this.#send({ kind: "job", request: job.request });
    } catch (error) {
      this.#fail(job, `the converter did not start (${(error as Error).message})`);
    }
  }

  #send(message: WorkerRequest): void {
    if (this.#worker === null) {
      const worker = this.#createWorker();
      this.#worker = worker;
      worker.onmessage = (event: MessageEvent<TranscodeResult>) => {
        if (worker === this.#worker) this.#done(event.data);
      };
      worker.onerror = (event) => {
        // Unprevented, an error in a worker ends the whole process.
        event.preventDefault();
        if (worker === this.#worker) this.#broken(event.message);
      };
      worker.onmessageerror = () => {
        if (worker === this.#worker) this.#broken("unreadable answer");
      };
      worker.postMessage({ kind: "start", maxBytes: this.#maxBytes } satisfies WorkerRequest);
    }
    this.#worker.postMessage(message);
  }

  #done(result: TranscodeResult): void {
    const job = this.#running;
    if (job === null) return;
    this.#running = null;
    // A decoder that has thrown may have left its WebAssembly memory in any state.
    if (result.kind === "impossible") this.#endWorker();
    job.resolve(result);
    this.#next();
  }

  #broken(message: string): void {
    if (this.#running === null) this.#endWorker();
    else this.#fail(this.#running, `the converter broke down (${message})`);
  }

  #fail(job: Job, why: string): void {
    this.#endWorker();
    this.#running = null;
    job.resolve(impossible(job.request, why));
    this.#next();
  }

  #abort(job: Job): void {
    if (job === this.#running) {
      this.#endWorker();
      this.#running = null;
    } else {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
    }
    job.reject(job.signal.reason);
    this.#next();
  }

  #endWorker(): void {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = null;
  }
}

function createWorker(): Worker {
  // Written as one expression: it is how the module is found from a compiled program, where it is included by name.
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}

function impossible(request: TranscodeRequest, why: string): TranscodeResult {
  const names = `${transferSyntaxName(request.from)} to ${transferSyntaxName(request.to)}`;
  return {
    kind: "impossible",
    reason: `The instance cannot be converted from ${names}: ${why}.`,
  };
}
