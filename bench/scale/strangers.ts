/*
 * What strangers cost a modality that belongs: its throughput while somebody else connects so many times a minute, as a
 * share of its throughput alone, both in turn and in the same run.
 *
 * The stranger has an address of its own in 127.0.0.0/8, which needs Linux; it asks for an association under a title that
 * is not listed and leaves when it has its answer.
 */

import { connect } from "node:net";
import { encodeControlPdu } from "../../src/ul/pdu_encode.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { APPLICATION_CONTEXT } from "../../src/dicom/uid.ts";
import { ourUserInformation } from "../../src/ul/user_information.ts";
import type { Figure } from "../figure.ts";
import { settleDisk } from "../machine.ts";
import { freePort } from "../subject.ts";
import { AE_TITLE, Modality } from "./ends.ts";
import { nthOf } from "./generated.ts";
import { WatchedForwarder } from "./watched.ts";

export interface StrangersPlan {
  /** Connections a minute, ascending. */
  readonly rates: readonly number[];
  /** Alone and disturbed, so many times each. */
  readonly rounds: number;
  /** How long each lasts, in ms. */
  readonly windowMs: number;
  /** Of an instance, in bytes. */
  readonly size: number;
  /** The forwarder's `connection_rate`; its own default where absent. */
  readonly limits: readonly (Readonly<Record<string, number>> | undefined)[];
}

export interface StrangersResult {
  readonly rate: number;
  readonly limited: boolean;
  /** Connections that the stranger made, and those that were answered. */
  readonly connections: number;
  readonly answered: number;
  /** Instances a second alone, and disturbed: the median of the rounds. */
  readonly alone: number;
  readonly disturbed: number;
  /** Disturbed over alone: the median of the rounds, each a pair. */
  readonly ratio: number;
}

const STRANGER = "127.0.0.9";

export async function measureStrangers(
  directory: string,
  plan: StrangersPlan,
  tell: (line: string) => void,
): Promise<StrangersResult[]> {
  const all: StrangersResult[] = [];
  for (const limits of plan.limits) {
    for (const rate of plan.rates) {
      const home = await Deno.makeTempDir({ dir: directory, prefix: "strangers-" });
      await settleDisk();
      const result = await measure(home, plan, rate, limits);
      tell(JSON.stringify(result));
      all.push(result);
      await Deno.remove(home, { recursive: true });
    }
  }
  return all;
}

async function measure(
  home: string,
  { rounds, windowMs, size }: StrangersPlan,
  rate: number,
  limits: StrangersPlan["limits"][number],
): Promise<StrangersResult> {
  const settings = {
    senders: [{ ae_title: "MODALITY", addresses: ["127.0.0.1"] }],
    ...(limits === undefined ? {} : { connection_rate: limits }),
  };
  const forwarder = await WatchedForwarder.start(home, freePort(), settings);
  try {
    const modality = await Modality.associate(forwarder.port);
    const stranger = new Stranger(forwarder.port);
    let sent = 0;
    const perSecond = async () => {
      const began = performance.now();
      const before = sent;
      while (performance.now() - began < windowMs) await modality.store(nthOf(1, ++sent), size);
      return (sent - before) * 1000 / (performance.now() - began);
    };
    // What a process does more slowly the first time is not what strangers cost.
    await perSecond();
    const alone: number[] = [];
    const disturbed: number[] = [];
    for (let n = 0; n < rounds; n++) {
      const first = n % 2 === 0;
      if (first) alone.push(await perSecond());
      stranger.start(rate);
      disturbed.push(await perSecond());
      await stranger.stop();
      if (!first) alone.push(await perSecond());
    }
    await modality.release();
    return {
      rate,
      limited: limits === undefined,
      connections: stranger.connections,
      answered: stranger.answered,
      alone: median(alone),
      disturbed: median(disturbed),
      ratio: median(disturbed.map((value, n) => value / alone[n]!)),
    };
  } finally {
    await forwarder.stop();
  }
}

class Stranger {
  readonly #port: number;
  readonly #open = new Set<Promise<void>>();
  readonly #request = encodeControlPdu({
    type: PduType.AssociateRequest,
    protocolVersion: 1,
    calledAeTitle: AE_TITLE,
    callingAeTitle: "STRANGER",
    applicationContext: APPLICATION_CONTEXT,
    contexts: [],
    userInformation: ourUserInformation({ maxPduLength: 16_384 }),
  });
  #timer: ReturnType<typeof setInterval> | undefined;
  connections = 0;
  answered = 0;

  constructor(port: number) {
    this.#port = port;
  }

  start(rate: number): void {
    const began = performance.now();
    let made = 0;
    this.#timer = setInterval(() => {
      const due = (performance.now() - began) * rate / 60_000;
      for (; made < due; made++) this.#connect();
    }, 5);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  #connect(): void {
    this.connections++;
    const over = new Promise<void>((resolve) => {
      const socket = connect({ port: this.#port, host: "127.0.0.1", localAddress: STRANGER });
      socket.on("connect", () => socket.write(this.#request));
      socket.on("data", () => {
        this.answered++;
        socket.destroy();
      });
      socket.on("error", () => socket.destroy());
      socket.on("end", () => socket.destroy());
      socket.on("close", () => resolve());
    }).finally(() => this.#open.delete(over));
    this.#open.add(over);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

export function strangerFigures(results: readonly StrangersResult[]): Figure[] {
  const line = (limited: boolean) =>
    results.filter((one) => one.limited === limited).map((one) => [one.rate, one.ratio] as const);
  return [{
    name: "strangers",
    title: "Throughput of a known modality beside a stranger",
    x: { label: "connections a minute from a stranger", unit: "" },
    y: { label: "share of the throughput alone", unit: "" },
    linearY: true,
    series: [
      { name: "connection_rate as usual", points: line(true) },
      { name: "no connection_rate", points: line(false) },
    ].filter(({ points }) => points.length > 0),
  }];
}
