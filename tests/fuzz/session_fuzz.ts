/*
 * Fuzzing of a forwarder that runs: spoilt sessions over TCP, many at a time, and between them a well-formed one that must
 * be served as if nothing were.
 *
 * Owns the count of what was answered with Success and of what arrived: whatever was sent, an instance answered with
 * Success arrives byte for byte, and nothing arrives that was not sent whole. The process is the same one at the end, with
 * the memory and the file descriptors it had at the beginning.
 */

import { concat } from "../../src/dicom/bytes.ts";
import { SUCCESS } from "../../src/dicom/status.ts";
import { CommandField } from "../../src/dimse/command.ts";
import { PduType } from "../../src/ul/pdu.ts";
import { isIdleSlot } from "../helpers/idle_slot.ts";
import { DaemonProcess } from "../helpers/daemon_process.ts";
import { nodeAt } from "../helpers/forwarder.ts";
import { instanceOf } from "../helpers/instances.ts";
import { filesIn, Scratch } from "../helpers/scratch.ts";
import { Sender } from "../helpers/sender.ts";
import { Sink } from "../helpers/sink.ts";
import { pass, until, within } from "../helpers/until.ts";
import { keyOf, storedIn } from "./answers.ts";
import { randomCommand } from "./commands.ts";
import { mutate, type Node, parsePdus, write } from "./grammar.ts";
import { Random, Violation } from "./random.ts";
import { messagesIn, pdusIn, record, renumbered } from "./recordings.ts";

export interface SessionFigures {
  sessions: number;
  /** Of them ones whose association was accepted. */
  accepted: number;
  /** Instances answered with Success in spoilt sessions. */
  acknowledged: number;
  arrived: number;
  canaries: number;
  slowestCanaryMs: number;
  rssStart: number;
  rssEnd: number;
  rssPeak: number;
  fdsStart: number;
  fdsEnd: number;
}

export interface SessionOptions {
  readonly sessions: number;
  readonly seed: number;
  /** Sessions at a time. */
  readonly parallel?: number;
  /** How long the well-formed session may take, in ms. */
  readonly canaryMs?: number;
  /** How much the forwarder's memory may grow after the warm-up, in bytes. */
  readonly mostGrowth?: number;
  readonly progress?: (figures: SessionFigures) => void;
}

/** A well-formed session comes after so many spoilt ones. */
const CANARY_EVERY = 100;

/**
 * Memory is first looked at after so many sessions, or half of them: until then code is compiled, and the heap grows to the
 * size that the load wants. What comes after is growth.
 */
const WARM_UP = 5000;

const MOST_GROWTH = 50 * 1024 * 1024;

/** The spool keeps 16 to 48 empty files open for what comes. */
const MOST_SLOTS = 48;

/** No session may take longer: the forwarder ends every one by itself once our side is finished. */
const HUNG_MS = 30_000;

/** How much of the work goes to what: framing, command sets in valid framing, data sets in valid framing. */
const KINDS = ["framing", "framing", "command", "data set"] as const;

/** @throws {Violation} */
export async function fuzzSessions(options: SessionOptions): Promise<SessionFigures> {
  await using scratch = await Scratch.make();
  await using sink = new Sink();
  const recorded = await recordFrom(sink);
  await using daemon = await DaemonProcess.start(scratch.path, {
    destinations: [nodeAt("sink", sink.port, { timeouts: { idle_release: 1 } })],
    max_associations: 500,
    max_associations_per_host: 500,
  });
  const fuzzing = new SessionFuzzing(daemon, daemon.port, sink, recorded, options);
  const figures = await fuzzing.run();
  const [left] = filesIn(scratch.at("spool")).filter((path) =>
    /\/incoming\//.test(path)
      ? !isIdle(path)
      : /\/(queue|failed|corrupt)\//.test(path) && !isEmpty(path)
  );
  if (left !== undefined) throw new Violation(`${left} is left in the spool`, NOTHING);
  return figures;
}

/** Sessions for a receiver that is none of ours to spoil. */
async function recordFrom(sink: Sink): Promise<Uint8Array[]> {
  const recorded = await record(sink.port);
  sink.arrivals.length = 0;
  return recorded;
}

class SessionFuzzing {
  readonly #daemon: DaemonProcess;
  readonly #port: number;
  readonly #sink: Sink;
  readonly #recorded: readonly Uint8Array[];
  readonly #options: SessionOptions;
  readonly #figures: SessionFigures = {
    sessions: 0,
    accepted: 0,
    acknowledged: 0,
    arrived: 0,
    canaries: 0,
    slowestCanaryMs: 0,
    rssStart: 0,
    rssEnd: 0,
    rssPeak: 0,
    fdsStart: 0,
    fdsEnd: 0,
  };
  /** UID and hash of what was sent whole, and of what was answered with Success; and the session that sent it. */
  readonly #sent = new Set<string>();
  readonly #acknowledged = new Map<string, number>();

  constructor(
    daemon: DaemonProcess,
    port: number,
    sink: Sink,
    recorded: readonly Uint8Array[],
    options: SessionOptions,
  ) {
    this.#daemon = daemon;
    this.#port = port;
    this.#sink = sink;
    this.#recorded = recorded;
    this.#options = options;
  }

  async run(): Promise<SessionFigures> {
    const figures = this.#figures;
    const { sessions, parallel = 24, progress = () => {} } = this.#options;
    await this.#canary();
    figures.fdsStart = await this.#quietFds();
    let next = 0;
    let reported = 0;
    while (figures.sessions < sessions) {
      const batch = Math.min(CANARY_EVERY, sessions - figures.sessions);
      const end = next + batch;
      await Promise.all(Array.from({ length: Math.min(parallel, batch) }, async () => {
        while (next < end) await this.#session(next++);
      }));
      figures.sessions += batch;
      await this.#canary();
      this.#watchMemory();
      if (figures.sessions - reported >= 1000) {
        reported = figures.sessions;
        progress(figures);
      }
    }
    await this.#settle();
    return figures;
  }

  async #session(session: number): Promise<void> {
    const random = this.#randomOf(session);
    const bytes = this.#spoilt(session, random);
    for (const { command, dataSet } of messagesIn(bytes)) {
      if (dataSet === undefined || command.commandField !== CommandField.StoreRequest) continue;
      this.#sent.add(keyOf(command.affectedSopInstanceUid ?? "", dataSet));
    }
    let received: Uint8Array;
    try {
      received = await within(this.#play(bytes, random), HUNG_MS, "the end of a spoilt session");
    } catch (error) {
      throw new Violation(`session ${session}: ${error}`, bytes, error);
    }
    this.#checkAnswers(session, bytes, received);
  }

  /** Chance for one session, the same whatever runs beside it. */
  #randomOf(session: number): Random {
    return new Random(Math.imul(this.#options.seed, 0x9e3779b1) + session);
  }

  #spoilt(session: number, random: Random): Uint8Array {
    const tree = parsePdus(renumbered(random.pick(this.#recorded), session));
    const times = random.pick([1, 1, 2, 3, 6]);
    switch (random.pick(KINDS)) {
      case "framing":
        return mutate(tree, random, times);
      case "command": {
        const command = random.pick(pdvsOf(tree, true));
        command.children = [];
        command.body = concat([command.body.slice(0, 2), randomCommand(random)]);
        return write(tree);
      }
      case "data set": {
        const dataSets = pdvsOf(tree, false);
        if (dataSets.length === 0) return mutate(tree, random, times);
        const dataSet = random.pick(dataSets);
        const spoilt = mutate(
          { ...dataSet, head: NOTHING, width: 0, body: NOTHING },
          random,
          times,
        );
        dataSet.children = [];
        dataSet.body = concat([dataSet.body.slice(0, 2), spoilt]);
        return write(tree);
      }
    }
  }

  /** Sends all of it, finishes, and takes what comes until the forwarder closes. */
  async #play(bytes: Uint8Array, random: Random): Promise<Uint8Array> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const received: Uint8Array[] = [];
    const sending = send(
      connection,
      random.oneIn(4) ? [...random.cut(bytes)].slice(0, 50) : [bytes],
    );
    try {
      const buffer = new Uint8Array(4096);
      for (;;) {
        const length = await connection.read(buffer);
        if (length === null) break;
        received.push(buffer.slice(0, length));
      }
    } catch {
      // A reset: the forwarder closed with bytes of ours unread.
    } finally {
      connection.close();
      await sending;
    }
    return concat(received);
  }

  #checkAnswers(session: number, sent: Uint8Array, received: Uint8Array): void {
    if (pdusIn(received)[0]?.type === PduType.AssociateAccept) this.#figures.accepted++;
    for (const key of storedIn(sent, received)) {
      this.#acknowledged.set(key, session);
      this.#figures.acknowledged++;
    }
  }

  /** A well-formed session: C-ECHO, C-STORE, release. */
  async #canary(): Promise<void> {
    const n = this.#figures.canaries++;
    const { canaryMs = 1000 } = this.#options;
    const instance = instanceOf({ sopInstanceUid: `2.25.999.${n + 1}` });
    const key = keyOf(instance.sopInstanceUid, instance.dataSet);
    this.#sent.add(key);
    const began = performance.now();
    const serve = async () => {
      await using sender = await Sender.open(this.#port, { calling: "CANARY" });
      if (await sender.echo() !== SUCCESS) throw new Error("C-ECHO not answered with Success");
      if (await sender.send(instance) !== SUCCESS) {
        throw new Error("C-STORE not answered with Success");
      }
    };
    try {
      await within(serve(), HUNG_MS, "the canary");
    } catch (error) {
      throw new Violation(
        `canary ${n}: ${error}\n${this.#daemon.said.slice(-2000)}`,
        NOTHING,
        error,
      );
    }
    const ms = performance.now() - began;
    // The first pays for code that has never run.
    if (n > 0) this.#figures.slowestCanaryMs = Math.max(this.#figures.slowestCanaryMs, ms);
    if (n > 0 && ms > canaryMs) throw new Violation(`canary ${n} took ${ms} ms`, NOTHING);
    this.#acknowledged.set(key, CANARY);
  }

  #watchMemory(): void {
    const figures = this.#figures;
    const rss = this.#daemon.memory();
    figures.rssPeak = Math.max(figures.rssPeak, rss);
    figures.rssEnd = rss;
    if (
      figures.rssStart === 0 && figures.sessions >= Math.min(WARM_UP, this.#options.sessions / 2)
    ) {
      figures.rssStart = rss;
    }
  }

  /** Descriptors once the forwarder has nothing to do. */
  async #quietFds(): Promise<number> {
    await this.#sink.until(
      (sink) => sink.open === 0 && this.#missing().length === 0,
      60_000,
      "the forwarder to have delivered all",
    );
    // The last connections are being closed just now.
    let fewest = this.#openFiles();
    for (let look = 0; look < 10; look++) {
      await pass(50);
      fewest = Math.min(fewest, this.#openFiles());
    }
    return fewest;
  }

  /** Descriptors, those of the spool's idle slots left out: of these there are more or fewer as it needs them. */
  #openFiles(): number {
    const open = this.#daemon.openFiles();
    const slots = open.filter((path) => path.endsWith(".part") && isIdle(path));
    if (slots.length > MOST_SLOTS) throw new Violation(`${slots.length} slots are open`, NOTHING);
    return open.length - slots.length;
  }

  #missing(): string[] {
    const arrived = new Set(this.#sink.arrivals.map((one) => `${one.sopInstanceUid} ${one.hash}`));
    return [...this.#acknowledged.keys()].filter((key) => !arrived.has(key));
  }

  /** Everything has arrived, nothing else has, and nothing is left open. */
  async #settle(): Promise<void> {
    const figures = this.#figures;
    try {
      await this.#quietFds();
    } catch (error) {
      const lost = this.#missing()[0] ?? "";
      const session = this.#acknowledged.get(lost) ?? CANARY;
      throw new Violation(
        lost === "" ? `${error}` : `${lost}: answered with Success in session ${session}, ${error}`,
        session === CANARY ? NOTHING : this.#spoilt(session, this.#randomOf(session)),
        error,
      );
    }
    figures.arrived = this.#sink.arrivals.length;
    for (const { sopInstanceUid, hash } of this.#sink.arrivals) {
      if (this.#sent.has(`${sopInstanceUid} ${hash}`)) continue;
      throw new Violation(`${sopInstanceUid} ${hash} arrived and was never sent whole`, NOTHING);
    }
    await until(
      () => (figures.fdsEnd = this.#openFiles()) <= figures.fdsStart,
      30_000,
      () =>
        `${figures.fdsStart} open files as at the start: ${this.#daemon.openFiles().join(", ")}`,
    );
    figures.rssEnd = this.#daemon.memory();
    const growth = figures.rssEnd - figures.rssStart;
    if (growth > (this.#options.mostGrowth ?? MOST_GROWTH)) {
      throw new Violation(`memory grew by ${growth} bytes`, NOTHING);
    }
    const defect = /^.*(error of this program|Defect:).*$/m.exec(this.#daemon.said);
    if (defect !== null) throw new Violation(`the forwarder said: ${defect[0]}`, NOTHING);
  }
}

/** Stands for the number of a session that was a well-formed one. */
const CANARY = -1;

const NOTHING = new Uint8Array(0);

/** Gone counts as empty. */
function isEmpty(path: string): boolean {
  return orGone(() => Deno.statSync(path).size === 0);
}

function isIdle(path: string): boolean {
  return orGone(() => isIdleSlot(path));
}

/** True where the file is gone, too. */
function orGone(look: () => boolean): boolean {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

async function send(connection: Deno.TcpConn, pieces: readonly Uint8Array[]): Promise<void> {
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) at += await connection.write(piece.subarray(at));
    }
    await connection.closeWrite();
  } catch {
    // The forwarder may end a session long before its end.
  }
}

/** The PDVs of a session that hold a command set, or a data set. */
function pdvsOf(tree: Node, command: boolean): Node[] {
  return tree.children.filter((pdu) => pdu.head[0] === PduType.Data).flatMap((pdu) => pdu.children)
    .filter((pdv) => (pdv.body[1]! & 1) === (command ? 1 : 0));
}
