/*
 * A modality in the test's own process: sends instances from memory and says what was answered to each.
 */

import { inMemory, type OutgoingDataSet, ServiceUser } from "../../src/dimse/scu.ts";
import { Association } from "../../src/ul/association.ts";
import { planContexts, type StoragePair } from "../../src/ul/negotiation.ts";
import { connectTcp } from "../../src/ul/transport.ts";
import { VERIFICATION } from "../../src/dicom/uid.ts";
import { FORWARDER_AE } from "./dcmtk.ts";
import { CT_IMAGE_STORAGE, type TestInstance } from "./instances.ts";
import { OPTIONS } from "./served.ts";

/** Explicit VR Little Endian CT, what generated studies are. */
export const CT_EXPLICIT: StoragePair = {
  sopClassUid: CT_IMAGE_STORAGE,
  transferSyntaxUid: "1.2.840.10008.1.2.1",
};

const VERIFICATION_PAIR: StoragePair = {
  sopClassUid: VERIFICATION,
  transferSyntaxUid: "1.2.840.10008.1.2",
};

export interface SenderOptions {
  readonly pairs?: readonly StoragePair[];
  readonly calling?: string;
  readonly called?: string;
  /** Wait for an answer, in ms. */
  readonly responseMs?: number;
}

export class Sender implements AsyncDisposable {
  readonly #user: ServiceUser;

  private constructor(user: ServiceUser) {
    this.#user = user;
  }

  /** @throws {AssociationError} or {TransportError} where no association comes about */
  static async open(port: number, options: SenderOptions = {}): Promise<Sender> {
    const { pairs = [CT_EXPLICIT], calling = "MODALITY", called = FORWARDER_AE } = options;
    const responseMs = options.responseMs ?? 30_000;
    const transport = await connectTcp("127.0.0.1", port, 5000, new AbortController().signal);
    const association = await Association.request(
      transport,
      calling,
      called,
      planContexts([VERIFICATION_PAIR, ...pairs], false),
      {
        ...OPTIONS,
        maxPduLength: 131_072,
        idleMs: responseMs,
        readMs: responseMs,
        writeStallMs: Math.max(OPTIONS.writeStallMs, responseMs),
      },
    );
    return new Sender(new ServiceUser(association, responseMs));
  }

  get association(): Association {
    return this.#user.association;
  }

  /** C-ECHO; the status. */
  async echo(): Promise<number | undefined> {
    return (await this.#user.echo(this.#contextFor(VERIFICATION_PAIR), VERIFICATION)).status;
  }

  /** C-STORE from memory; the status. */
  send(instance: TestInstance): Promise<number> {
    return this.stream(instance, inMemory(instance.dataSet));
  }

  /** C-STORE of a data set from anywhere; the status. */
  async stream(
    instance: StoragePair & { readonly sopInstanceUid: string },
    dataSet: OutgoingDataSet,
  ): Promise<number> {
    const answer = await this.#user.store(
      this.#contextFor(instance),
      instance.sopClassUid,
      instance.sopInstanceUid,
      dataSet,
    );
    if (answer?.status === undefined) throw new Error("the answer has no status");
    return answer.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.association.established) await this.association.release();
  }

  #contextFor(pair: StoragePair): number {
    const carriage = this.association.carriage(pair);
    if (carriage.kind !== "as-stored") {
      throw new Error(`${pair.sopClassUid} ${pair.transferSyntaxUid} is ${carriage.kind}`);
    }
    return carriage.context.id;
  }
}

/** Sends instances over one association, all of which must be answered with Success. */
export async function sendAll(
  port: number,
  instances: Iterable<TestInstance>,
  options: SenderOptions = {},
): Promise<void> {
  const all = [...instances];
  await using sender = await Sender.open(port, { pairs: all, ...options });
  for (const instance of all) {
    const status = await sender.send(instance);
    if (status !== 0) {
      throw new Error(`${instance.sopInstanceUid} was answered with 0x${status.toString(16)}`);
    }
  }
}
