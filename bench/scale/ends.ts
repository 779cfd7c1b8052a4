/*
 * The other ends of the forwarder, in the benchmark's own process: a modality that sends what is generated meanwhile, and a
 * PACS that counts and keeps nothing. Neither holds an instance.
 */

import { describeStatus, SUCCESS } from "../../src/dicom/status.ts";
import { IMPLICIT_VR_LE, VERIFICATION } from "../../src/dicom/uid.ts";
import { serve } from "../../src/dimse/scp.ts";
import { type OutgoingDataSet, ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import type { AssociationOptions } from "../../src/ul/association_options.ts";
import { AssociationError } from "../../src/ul/association_error.ts";
import { connectTcp, Transport } from "../../src/ul/transport.ts";
import { dataSetOf, type Generated, SOP_CLASS, TRANSFER_SYNTAX } from "./generated.ts";

/** What the forwarder under test is called by. */
export const AE_TITLE = "BENCH";

/** Longer than any step of a measure, in ms. */
const PATIENCE_MS = 600_000;

const OPTIONS: AssociationOptions = {
  maxPduLength: 131_072,
  associationMs: PATIENCE_MS,
  idleMs: PATIENCE_MS,
  readMs: PATIENCE_MS,
  writeStallMs: PATIENCE_MS,
  releaseMs: PATIENCE_MS,
};

const VERIFICATION_CONTEXT = 1;
const STORE_CONTEXT = 3;

/** One association with the forwarder. */
export class Modality {
  readonly #user: ServiceUser;

  private constructor(user: ServiceUser) {
    this.#user = user;
  }

  /** @throws {AssociationError} */
  static async associate(port: number): Promise<Modality> {
    const transport = await connectTcp(
      "127.0.0.1",
      port,
      PATIENCE_MS,
      new AbortController().signal,
    );
    const association = await Association.request(
      transport,
      "MODALITY",
      AE_TITLE,
      [
        {
          id: VERIFICATION_CONTEXT,
          abstractSyntax: VERIFICATION,
          transferSyntaxes: [IMPLICIT_VR_LE],
        },
        { id: STORE_CONTEXT, abstractSyntax: SOP_CLASS, transferSyntaxes: [TRANSFER_SYNTAX] },
      ],
      OPTIONS,
    );
    return new Modality(new ServiceUser(association, PATIENCE_MS));
  }

  /** @throws where it is not answered with Success */
  async echo(): Promise<void> {
    wantSuccess((await this.#user.echo(VERIFICATION_CONTEXT, VERIFICATION)).status);
  }

  /**
   * Sends an instance of so many bytes; how many they are to the byte.
   *
   * @throws where it is not answered with Success
   */
  async store(instance: Generated, bytes: number): Promise<number> {
    const dataSet: OutgoingDataSet = dataSetOf(instance, bytes);
    const { sopInstanceUid } = instance;
    const answer = await this.#user.store(STORE_CONTEXT, SOP_CLASS, sopInstanceUid, dataSet);
    wantSuccess(answer?.status);
    return dataSet.length;
  }

  release(): Promise<void> {
    return this.#user.association.release();
  }
}

function wantSuccess(status: number | undefined): void {
  if (status !== SUCCESS) throw new Error(`Answered ${describeStatus(status)}, wanted Success`);
}

/** A destination that takes everything. */
export class CountingPacs {
  readonly port: number;
  #listener: Deno.TcpListener | undefined;
  readonly #transports = new Set<Transport>();
  readonly #watchers = new Set<() => void>();
  /** Instances taken whole, the same one each time it comes. */
  instances = 0;
  /** Of their data sets. */
  bytes = 0;
  /** When the first byte of the first was there (performance.now()). */
  began: number | undefined;
  /** When all of the first was. */
  first: number | undefined;

  constructor(port: number) {
    this.port = port;
  }

  open(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    void this.#accept(this.#listener);
  }

  close(): void {
    this.#listener?.close();
    for (const transport of this.#transports) transport.close();
  }

  /**
   * Resolves as soon as so many have come.
   *
   * @throws where they have not within `withinMs`
   */
  async has(instances: number, withinMs: number): Promise<void> {
    const there = Promise.withResolvers<void>();
    const look = () => {
      if (this.instances >= instances) there.resolve();
    };
    const timer = setTimeout(
      () =>
        there.reject(
          new Error(`${this.instances} instances came in ${withinMs} ms, wanted ${instances}`),
        ),
      withinMs,
    );
    this.#watchers.add(look);
    look();
    try {
      await there.promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    for await (const connection of listener) void this.#serve(connection);
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    connection.setNoDelay(true);
    const transport = new Transport(connection, "127.0.0.1", this.port);
    this.#transports.add(transport);
    try {
      const { association, request } = await Association.receive(transport, OPTIONS);
      await association.accept(request, () => true);
      await serve(association, {
        store: async (_request, dataSet) => {
          for (let piece = await dataSet.read(); piece; piece = await dataSet.read()) {
            this.began ??= performance.now();
            this.bytes += piece.length;
          }
          this.instances++;
          this.first ??= performance.now();
          return { status: SUCCESS, afterAnswer: () => this.#tell() };
        },
      });
    } catch (error) {
      // The forwarder is stopped while it sends: an association then ends as it may.
      if (!(error instanceof AssociationError)) throw error;
    } finally {
      transport.close();
      this.#transports.delete(transport);
    }
  }

  #tell(): void {
    for (const look of this.#watchers) look();
  }
}
