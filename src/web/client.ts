/*
 * The API from the command line: finds the forwarder that runs on a spool, and asks it.
 *
 * Asks loopback or the address the server is bound to, never through a proxy (`fetch` would use the one of the environment,
 * and the token would go to it). Whatever the forwarder answers is validated.
 */

import { request } from "node:http";
import { request as requestSecurely } from "node:https";
import { z } from "zod";
import type { ItemAction, ItemName, ItemSelection } from "../control/control.ts";
import {
  type ActionResult,
  actionResult,
  type ConnectionResult,
  connectionResult,
  type ItemDetails,
  itemDetails,
  type LogLine,
  type Overview,
  overview,
  type QueuePage,
  queuePage,
  type ReloadResult,
  reloadResult,
  type StudyList,
  studyList,
  type Throughput,
  throughput,
} from "../control/views.ts";
import { concat } from "../dicom/bytes.ts";
import { type ControlFile, readControlFile } from "./control_file.ts";
import { API_BASE } from "./openapi.ts";
import { doneView, errorView, logView } from "./shapes.ts";

/** The forwarder did not do what it was asked for; the message says why. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** 0 where there was no answer. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Longest wait for an answer, ms: a test of a connection takes its time. */
const ANSWER_MS = 120_000;
/** Longest wait for the first answer, by which it is seen that somebody is there, ms. */
const HELLO_MS = 3000;
/** Largest answer taken, bytes. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** A running forwarder. Each call rejects with ClientError where it is not done. */
export class ControlClient {
  readonly #file: ControlFile;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends what is being asked */
  constructor(file: ControlFile, signal?: AbortSignal) {
    this.#file = file;
    this.#signal = signal;
  }

  /** The forwarder's process. */
  get pid(): number {
    return this.#file.pid;
  }

  overview(): Promise<Overview> {
    return this.get("/overview", overview);
  }

  throughput(): Promise<Throughput> {
    return this.get("/throughput", throughput);
  }

  studies(query: Query = {}): Promise<StudyList> {
    return this.get("/studies", studyList, query);
  }

  queue(query: Query = {}): Promise<QueuePage> {
    return this.get("/queue", queuePage, query);
  }

  /** Undefined where there is no such item. */
  async item({ id, destination }: ItemName): Promise<ItemDetails | undefined> {
    const path = `/queue/${encodeURIComponent(id)}/${encodeURIComponent(destination)}`;
    return await orUndefined(this.get(path, itemDetails));
  }

  async log(limit: number): Promise<LogLine[]> {
    return (await this.get("/log", logView, { limit })).lines;
  }

  act(action: ItemAction, selection: ItemSelection): Promise<ActionResult> {
    return this.post(`/queue/${action}`, actionResult, selection);
  }

  /** False where there is no such destination. */
  async switch(destination: string, verb: "pause" | "resume" | "try"): Promise<boolean> {
    const path = `/destinations/${encodeURIComponent(destination)}/${verb}`;
    return await orUndefined(this.post(path, doneView)) !== undefined;
  }

  /** Undefined where there is no such destination. */
  async test(destination: string): Promise<ConnectionResult | undefined> {
    const path = `/destinations/${encodeURIComponent(destination)}/test`;
    return await orUndefined(this.post(path, connectionResult));
  }

  reload(): Promise<ReloadResult> {
    return this.post("/reload", reloadResult);
  }

  testAlarms(): Promise<ConnectionResult> {
    return this.post("/alarms/test", connectionResult);
  }

  /** GET below /api/v1. */
  get<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    query: Query = {},
    waitMs = ANSWER_MS,
  ): Promise<z.output<Schema>> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value));
    }
    const suffix = search.size === 0 ? "" : `?${search}`;
    return this.#ask("GET", path + suffix, undefined, schema, waitMs);
  }

  /** POST below /api/v1. */
  post<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    body: unknown = {},
  ): Promise<z.output<Schema>> {
    return this.#ask("POST", path, JSON.stringify(body), schema, ANSWER_MS);
  }

  /** Whether the forwarder is there. */
  async answers(): Promise<boolean> {
    try {
      await this.get("/session", z.looseObject({}), {}, HELLO_MS);
      return true;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return false;
    }
  }

  async #ask<Schema extends z.ZodType>(
    method: string,
    path: string,
    body: string | undefined,
    schema: Schema,
    waitMs: number,
  ): Promise<z.output<Schema>> {
    const { status, text } = await this.#exchange(method, path, body, waitMs);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new ClientError(status, "The forwarder's answer is no JSON.", { cause: error });
    }
    if (status !== 200) {
      const told = errorView.safeParse(value).data?.error;
      throw new ClientError(status, told ?? `The forwarder answered with status ${status}.`);
    }
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new ClientError(status, "The forwarder's answer is not what this version expects.", {
      cause: result.error,
    });
  }

  #exchange(
    method: string,
    path: string,
    body: string | undefined,
    waitMs: number,
  ): Promise<{ status: number; text: string }> {
    const url = new URL(API_BASE + path, this.#file.url);
    const limit = AbortSignal.timeout(waitMs);
    const signal = this.#signal === undefined ? limit : AbortSignal.any([limit, this.#signal]);
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        const why = limit.aborted ? `no answer within ${waitMs / 1000} s` : error.message;
        const message = `The running forwarder cannot be asked at ${url.host}: ${why}.`;
        reject(new ClientError(0, message, { cause: error }));
      };
      const ask = url.protocol === "https:" ? requestSecurely : request;
      const asking = ask(url, {
        method,
        signal,
        // It is this machine's own address, as without TLS, on which the forwarder listens while this token is worth anything; the page's
        // certificate is for the name that other machines know.
        rejectUnauthorized: false,
        // Or the runtime would read the system's issuers, for which the program has no permission.
        ca: [],
        // A connection of its own: none is left open when the command ends.
        agent: false,
        headers: {
          Authorization: `Bearer ${this.#file.token}`,
          ...(body === undefined ? {} : {
            "Content-Type": "application/json",
            "Content-Length": new TextEncoder().encode(body).length,
          }),
        },
      }, (answer) => {
        const pieces: Uint8Array[] = [];
        let length = 0;
        answer.on("data", (piece: Uint8Array) => {
          length += piece.length;
          if (length > MAX_ANSWER) answer.destroy(new Error("its answer is too large"));
          else pieces.push(piece);
        });
        answer.once("error", failed);
        answer.once("end", () => {
          const text = new TextDecoder().decode(concat(pieces));
          resolve({ status: answer.statusCode ?? 0, text });
        });
      });
      asking.once("error", failed);
      asking.end(body);
    });
  }
}

/**
 * The forwarder that runs on a spool; undefined where none does, or none that can be asked (`web.enabled` false, another
 * user's).
 *
 * @param signal ends whatever is being asked
 */
export async function controlClient(
  spoolDir: string,
  signal?: AbortSignal,
): Promise<ControlClient | undefined> {
  const file = await readControlFile(spoolDir);
  if (file === undefined) return undefined;
  const client = new ControlClient(file, signal);
  return await client.answers() ? client : undefined;
}

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}
