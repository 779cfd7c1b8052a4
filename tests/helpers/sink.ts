/*
 * A destination in the test's own process: takes every instance, keeps its hash, and tells when one has come.
 *
 * An instance counts when its data set is complete; what breaks off before counts as cut.
 */

import { createHash } from "node:crypto";
import { serve, type StoreRequest } from "../../src/dimse/scp.ts";
import { Association } from "../../src/ul/association.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { Transport } from "../../src/ul/transport.ts";
import { granting } from "./granting.ts";
import { OPTIONS } from "./served.ts";
import { within } from "./until.ts";

/** One arrival; the same instance may arrive more than once. */
export interface Arrival {
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  /** SHA-256 of the data set, hexadecimal. */
  readonly hash: string;
  readonly length: number;
  /** What was answered; undefined where the sink died instead. */
  readonly status: number | undefined;
  readonly callingAeTitle: string;
  /** performance.now() */
  readonly at: number;
}

export interface SinkOptions {
  /** 0 or absent for any. */
  readonly port?: number;
  /** Answers instead of Success; may wait. */
  readonly answer?: (request: StoreRequest) => number | Promise<number>;
  /** Operations that it lets the requestor have outstanding (PS3.7 §D.3.3.3), 0 for no limit; absent, it grants none. */
  readonly operations?: number;
  /** True where the sink is to die when it has stored this and before it answers: all its connections are cut. */
  readonly diesAfter?: (request: StoreRequest) => boolean;
  /** Told of a death: what was stored, and the last that was stored on each other connection, whose answer may be lost. */
  readonly died?: (sopInstanceUids: readonly string[]) => void;
}

export class Sink implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #options: SinkOptions;
  /** With the latest instance stored over each. */
  readonly #transports = new Map<Transport, string>();
  readonly #watchers = new Set<() => void>();
  readonly arrivals: Arrival[] = [];
  /** Associations accepted so far. */
  associations = 0;
  /** Associations open now. */
  open = 0;
  /** Associations that ended with a release. */
  released = 0;
  /** Data sets that broke off. */
  cut = 0;
  /** While true it is down but keeps its port: whoever connects is cut off at once. */
  away = false;

  constructor(options: SinkOptions = {}) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: options.port ?? 0 });
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Distinct instances that have arrived. */
  uids(): Set<string> {
    return new Set(this.arrivals.map((one) => one.sopInstanceUid));
  }

  /** Waits until a condition on this sink holds; it is looked at whenever something happens here. */
  async until(
    condition: (sink: this) => boolean,
    withinMs: number,
    what: string,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (condition(this)) resolve();
    };
    this.#watchers.add(look);
    look();
    try {
      await within(
        promise,
        withinMs,
        () =>
          `${what}; ${this.uids().size} instances in ${this.associations} associations have come`,
      );
    } finally {
      this.#watchers.delete(look);
    }
  }

  /** Waits until so many distinct instances have arrived. */
  received(count: number, withinMs = 60_000): Promise<void> {
    return this.until((sink) => sink.uids().size >= count, withinMs, `${count} instances`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#cutAll();
    return Promise.resolve();
  }

  #cutAll(): void {
    for (const transport of this.#transports.keys()) transport.close();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      if (this.away) connection.close();
      else void this.#serve(connection);
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    connection.setNoDelay(true);
    const { operations } = this.#options;
    const transport = new Transport(
      operations === undefined ? connection : granting(connection, operations),
      "127.0.0.1",
      this.port,
    );
    this.#transports.set(transport, "");
    let accepted = false;
    try {
      const { association, request } = await Association.receive(transport, {
        ...OPTIONS,
        maxPduLength: 131_072,
        idleMs: 60_000,
        readMs: 60_000,
      });
      await association.accept(request, () => true);
      accepted = true;
      this.associations++;
      this.open++;
      this.#tell();
      await serve(association, {
        store: async (store, dataSet) => {
          const digest = createHash("sha256");
          let length = 0;
          try {
            for (;;) {
              const bytes = await dataSet.read();
              if (bytes === undefined) break;
              digest.update(bytes);
              length += bytes.length;
            }
          } catch (error) {
            this.cut++;
            throw error;
          }
          const dies = this.#options.diesAfter?.(store) === true;
          const status = dies ? undefined : await this.#options.answer?.(store) ?? 0;
          this.#transports.set(transport, store.sopInstanceUid);
          this.arrivals.push({
            sopInstanceUid: store.sopInstanceUid,
            sopClassUid: store.sopClassUid,
            transferSyntaxUid: store.context.transferSyntax,
            hash: digest.digest("hex"),
            length,
            status,
            callingAeTitle: association.callingAeTitle,
            at: performance.now(),
          });
          if (status === undefined) {
            this.#options.died?.([...this.#transports.values()].filter((uid) => uid !== ""));
            this.#cutAll();
            throw new AssociationError("closed", "the sink has died");
          }
          return { status, afterAnswer: () => this.#tell() };
        },
      });
      this.released++;
    } catch (error) {
      // A forwarder that is killed, or that aborts, is what several tests are about.
      if (!(error instanceof AssociationError)) throw error;
    } finally {
      if (accepted) this.open--;
      transport.close();
      this.#transports.delete(transport);
      this.#tell();
    }
  }

  #tell(): void {
    for (const look of [...this.#watchers]) look();
  }
}
