/*
 * What is measured: one way the bytes of a load can go, through one program. Two of them, the floors, are what the others
 * are compared with.
 *
 * A case times nothing but its own work, checks that every instance arrived once, and leaves no process behind. Instances
 * missing or left over are an error: a fast forwarder that loses something is none.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDimse } from "./dimse.ts";
import type { SyncFloor } from "./floor_sync.ts";
import { Forwarder } from "./forwarder.ts";
import { type Load, share } from "./load.ts";
import { settleDisk, warmMemory } from "./machine.ts";
import { Orthanc } from "./orthanc.ts";
import type { ProcessFigures } from "./process_tree.ts";
import { send, type Sending } from "./senders.ts";
import { Pacs, startStorescp } from "./storescp.ts";
import { freePort, type Start, type Subject } from "./subject.ts";

/** What the bytes go through. */
export const SUBJECTS = {
  straight: "storescu straight into storescp --ignore: the floor of the wire",
  sync: "the same bytes into files made ahead, one fdatasync each: the floor of the disk",
  forwarder: "this program",
  storescp: "DCMTK's storescp into files, nothing synced",
  "dcmjs-dimse": "dcmjs-dimse's Scp streaming into files, nothing synced",
  orthanc: "Orthanc, its storage synced, forwarding by a script in Lua",
} as const;

export type SubjectName = keyof typeof SUBJECTS;

/** What is done with them. */
export const WORK = {
  floor: "a floor",
  receive: "storescu into the program, destination down",
  forward: "a full queue out of the program, from its start, into storescp --ignore",
  "end-to-end": "storescu through the program into storescp --ignore",
} as const;

export type Work = keyof typeof WORK;

export interface Case {
  readonly subject: SubjectName;
  readonly work: Work;
  /** Associations that send at the same time. */
  readonly senders: number;
  readonly destinations: number;
}

/** One case with one load, once. */
export interface Measurement {
  readonly wallS: number;
  /** Of the program, within `wallS`; null for a floor. */
  readonly cpuS: number | null;
  /** Of the program, from its start; null for a floor. */
  readonly peakRssBytes: number | null;
}

const START: Partial<Record<SubjectName, Start>> = {
  forwarder: (home, destinations) => Forwarder.start(home, destinations),
  storescp: startStorescp,
  "dcmjs-dimse": startDimse,
  orthanc: (home, destinations) => Orthanc.start(home, destinations),
};

/** How long the destinations may take to have everything, in ms. */
const ARRIVAL_MS = 600_000;

/**
 * Measures a case once.
 *
 * @param home an empty folder of its own on the disk measured
 */
export async function measure(one: Case, load: Load, home: string): Promise<Measurement> {
  if (one.subject === "sync") return await synced(load, home);
  const run = new Run(one, load, home);
  switch (one.work) {
    case "floor":
      return await run.straight();
    case "receive":
      return await run.receive();
    case "forward":
      return await run.forward();
    case "end-to-end":
      return await run.endToEnd();
  }
}

/** The same state of disk and memory for everybody who is about to write a load. */
async function settle(load: Load, home: string): Promise<void> {
  warmMemory(join(home, "warm"), load.bytes);
  await settleDisk();
}

async function synced(load: Load, home: string): Promise<Measurement> {
  const program = fileURLToPath(new URL("floor_sync.ts", import.meta.url));
  await settle(load, home);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", program, join(home, "files"), ...load.files],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`floor_sync.ts failed: ${new TextDecoder().decode(stderr)}`);
  const floor: SyncFloor = JSON.parse(new TextDecoder().decode(stdout));
  if (floor.files !== load.instances || floor.bytes !== load.bytes) {
    throw new Error(`floor_sync.ts wrote ${floor.files} files of ${floor.bytes} bytes`);
  }
  return { wallS: floor.wallMs / 1000, cpuS: null, peakRssBytes: null };
}

class Run {
  readonly #case: Case;
  readonly #load: Load;
  readonly #home: string;

  constructor(one: Case, load: Load, home: string) {
    this.#case = one;
    this.#load = load;
    this.#home = home;
  }

  async straight(): Promise<Measurement> {
    return await this.#withPacs(async ([pacs]) => {
      const { beganMs, endedMs } = await this.#send(pacs!.port, "ANY");
      return { wallS: (endedMs - beganMs) / 1000, cpuS: null, peakRssBytes: null };
    });
  }

  async receive(): Promise<Measurement> {
    const start = START[this.#case.subject]!;
    const nobody = this.#case.subject === "orthanc" ? [] : this.#ports();
    return await withSubject(await start(this.#home, nobody), (subject) => this.#fill(subject));
  }

  async forward(): Promise<Measurement> {
    const ports = this.#ports();
    await withSubject(await Forwarder.start(this.#home, ports), (one) => this.#fill(one));
    await settleDisk();
    return await this.#withPacs(
      async () =>
        await withSubject(await Forwarder.start(this.#home, ports), async (forwarder) => {
          const before = forwarder.figures();
          const endedMs = await forwarder.forwarded();
          return measurement(endedMs - forwarder.readyMs, before, forwarder.figures());
        }),
      ports,
    );
  }

  async endToEnd(): Promise<Measurement> {
    const start = START[this.#case.subject]!;
    return await this.#withPacs(async (pacs) =>
      await withSubject(
        await start(this.#home, pacs.map((one) => one.port)),
        async (subject) => {
          await settle(this.#load, this.#home);
          const before = subject.figures();
          const { beganMs } = await this.#send(subject.port, subject.aeTitle);
          const endedMs = subject.forwarded === undefined
            ? await this.#arrived(pacs)
            : await subject.forwarded();
          return measurement(endedMs - beganMs, before, subject.figures());
        },
      )
    );
  }

  /** Sends the load and counts what is kept then. */
  async #fill(subject: Subject): Promise<Measurement> {
    await settle(this.#load, this.#home);
    const before = subject.figures();
    const { beganMs, endedMs } = await this.#send(subject.port, subject.aeTitle);
    const after = subject.figures();
    const kept = await subject.kept();
    if (kept !== this.#load.instances) {
      throw new Error(`${this.#load.instances} were answered with Success, ${kept} are kept`);
    }
    return measurement(endedMs - beganMs, before, after);
  }

  async #send(port: number, aeTitle: string): Promise<Sending> {
    const shares = share(this.#load, this.#case.senders, this.#home);
    return await send(port, aeTitle, shares, this.#home);
  }

  #ports(): number[] {
    return Array.from({ length: this.#case.destinations }, freePort);
  }

  /** With destinations that must each have taken the whole load, and no instance twice, when the work is done. */
  async #withPacs(
    work: (all: readonly Pacs[]) => Promise<Measurement>,
    ports = this.#ports(),
  ): Promise<Measurement> {
    const all: Pacs[] = [];
    try {
      for (const port of ports) all.push(await Pacs.start(this.#home, port));
      const result = await work(all);
      for (const pacs of all) {
        const taken = (await pacs.taken()).length;
        if (taken !== this.#load.instances) {
          throw new Error(`storescp was given ${taken} instances, wanted ${this.#load.instances}`);
        }
      }
      return result;
    } finally {
      for (const pacs of all) await pacs.stop();
    }
  }

  /**
   * Waits until every destination has been given everything, for a program that does not tell when it is done. In its
   * favour: the time is that of the last request, not of the answer to it.
   */
  async #arrived(all: readonly Pacs[]): Promise<number> {
    for (const deadline = Date.now() + ARRIVAL_MS; Date.now() < deadline;) {
      const times = await Promise.all(all.map((pacs) => pacs.taken()));
      if (times.every((taken) => taken.length >= this.#load.instances)) {
        return Math.max(...times.map((taken) => taken.at(-1)!));
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Not everything arrived within ${ARRIVAL_MS / 1000} s`);
  }
}

async function withSubject<S extends Subject>(
  subject: S,
  work: (subject: S) => Promise<Measurement>,
): Promise<Measurement> {
  try {
    return await work(subject);
  } finally {
    await subject.stop();
  }
}

function measurement(wallMs: number, before: ProcessFigures, after: ProcessFigures): Measurement {
  return {
    wallS: wallMs / 1000,
    cpuS: after.cpuS - before.cpuS,
    peakRssBytes: after.peakRssBytes,
  };
}
