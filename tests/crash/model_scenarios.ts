/*
 * The runs whose power cuts are tried: receiving, forwarding and all that moves an instance's file, each short enough that
 * most of its states can be visited.
 */

import { join } from "node:path";
import { UNROUTED } from "../../src/spool/failed.ts";
import { copyFile } from "../../src/spool/file_system.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { META } from "../helpers/spools.ts";
import { deliverUsed, receiveUsed, untilSlotsAreShort, USED } from "./model_used.ts";
import { type Scenario, SPOOL, turns, type World } from "./model_world.ts";

async function oneForTwo(world: World): Promise<void> {
  await world.receive("1.1", ["a", "b"]);
}

/** What a cut leaves between the two steps of giving up for one of two, or a rename of which both names came back. */
function alsoFailed(how: "link" | "copy") {
  return async (world: World) => {
    const entry = await world.receive("1.1", ["a", "b"]);
    const failed = join(SPOOL, "failed", "b");
    world.files.makeDirectory(failed);
    const name = join(failed, `${entry.base}.dcm`);
    if (how === "link") world.files.link(entry.path, name);
    else await copyFile(world.files, entry.path, name);
  };
}

/** The same instance twice in the queue, once for both destinations and once for one of them. */
async function servedTwice(world: World): Promise<void> {
  await world.start();
  await world.retryAll();
  const [both, one] = world.entries;
  await world.forward(both!, "a");
  world.spool.countTry(one!, "b");
  await world.fail(one!, "b");
  await world.retryAll();
  for (const entry of world.entries) {
    if (entry.waitsFor("b")) await world.forward(entry, "b");
  }
}

/** Runs a step that is to fail. */
async function failing(step: Promise<unknown>): Promise<void> {
  const failed = await step.then(() => false, () => true);
  if (!failed) throw new Error("The scenario's fault did not show");
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "received into files that others were delivered from",
    before: (world) => receiveUsed(world, ["a"]),
    async run(world) {
      await deliverUsed(world, "a");
      // The last slot before others are made of those files, and the first of these.
      await world.receive("2.1", ["a"]);
      await turns();
      const longer = await world.receive("2.2", ["a", "b"], { padding: 2000 });
      await world.forward(longer, "a");
      await world.receive("2.3", ["a"], { study: "1.2.4" });
      await world.forward(longer, "b");
    },
  },
  {
    name:
      "received into longer files that others were delivered from, the program killed and started in between",
    before: async (world) => {
      for (let n = 0; n < USED; n++) await world.receive(`9.${n}`, ["a"], { padding: 3000 });
      await turns();
      await untilSlotsAreShort(world, USED);
      await turns();
      await deliverUsed(world, "a");
      await (await world.spool.begin(META)).discard();
    },
    async run(world) {
      await world.receive("2.1", ["a"]);
      const partly = await world.spool.begin(META);
      partly.write(new Uint8Array(300_000));
      await world.commit("2.2", ["a"], { padding: 400 });
      await world.start();
      for (const entry of world.entries.filter((one) => one.waitsFor("a"))) {
        await world.forward(entry, "a");
      }
    },
  },
  {
    name: "archived by second names and delivered, then received into what may be written over",
    before: (world) => receiveUsed(world, ["a", "archive"]),
    async run(world) {
      await world.toArchive(world.entries.slice(0, USED));
      await deliverUsed(world, "a");
      await world.receive("2.1", ["a"]);
      await turns();
      await world.receive("2.2", ["a"]);
    },
  },
  {
    name: "the first start, one received and forwarded",
    async run(world) {
      await world.start();
      const entry = await world.receive("1.1", ["a"]);
      await world.forward(entry, "a");
      await world.receive("1.2", ["a"]);
    },
  },
  {
    name: "received and forwarded to two, one after the other",
    before: () => Promise.resolve(),
    async run(world) {
      const entry = await world.receive("1.1", ["a", "b"]);
      await world.forward(entry, "b");
      const other = await world.receive("1.2", ["a", "b"], { padding: 5000 });
      await world.forward(entry, "a");
      await world.forward(other, "a");
      await world.forward(other, "b");
    },
  },
  {
    name: "large instances, whose commit record goes over the preamble",
    before: () => Promise.resolve(),
    async run(world) {
      await world.commit("1.1", ["a"], { padding: 300_000, answered: false });
      const entry = await world.receive("1.2", ["a"], { padding: 540_000 });
      await world.forward(entry, "a");
    },
  },
  {
    name: "given up for one of two destinations, then put back",
    before: oneForTwo,
    async run(world) {
      const [entry] = world.entries;
      await world.fail(entry!, "b");
      await world.forward(entry!, "a");
      await world.retryAll();
      await world.forward(world.entries[1]!, "b");
    },
  },
  {
    name: "given up for both destinations, then put back",
    before: oneForTwo,
    async run(world) {
      const [entry] = world.entries;
      await world.fail(entry!, "a");
      await world.fail(entry!, "b");
      await world.retryAll();
      await world.forward(world.entries[1]!, "a");
      await world.fail(world.entries[2]!, "b");
    },
  },
  {
    name: "given up for one of two where files have no second names",
    before: oneForTwo,
    async run(world) {
      world.files.fault = (operation) => operation === "link" ? systemError("EPERM") : undefined;
      const [entry] = world.entries;
      await world.fail(entry!, "b");
      await world.forward(entry!, "a");
      await world.retryAll();
    },
  },
  {
    name: "held back from one of two destinations, delivered to the other, then let go",
    before: oneForTwo,
    async run(world) {
      const [entry] = world.entries;
      await world.hold(entry!, "b");
      await world.forward(entry!, "a");
      await world.release("b");
      await world.forward(world.entries[1]!, "b");
    },
  },
  {
    name: "held back as soon as it was received, then found again by a start and let go",
    before: () => Promise.resolve(),
    async run(world) {
      await world.hold(await world.receive("1.1", ["a"]), "a");
      await world.hold(await world.receive("1.2", ["a", "b"]), "b");
      await world.start();
      if (world.entries.length !== 1) throw new Error("What is held is in the queue");
      await world.release("a");
      await world.forward(world.entries[1]!, "a");
    },
  },
  {
    name: "held back from both destinations where files have no second names",
    before: oneForTwo,
    async run(world) {
      world.files.fault = (operation) => operation === "link" ? systemError("EPERM") : undefined;
      const [entry] = world.entries;
      await world.hold(entry!, "b");
      await world.hold(entry!, "a");
      await world.release("b");
    },
  },
  {
    name: "refused twice, then given up",
    before: () => Promise.resolve(),
    async run(world) {
      const entry = await world.receive("1.1", ["a", "b"]);
      world.spool.countTry(entry, "a");
      world.spool.countTry(entry, "a");
      await world.forward(entry, "b");
      world.spool.countTry(entry, "a");
      await world.fail(entry, "a");
    },
  },
  {
    name: "one set aside, another beside it goes on",
    before: () => Promise.resolve(),
    async run(world) {
      const damaged = await world.receive("1.1", ["a"]);
      const other = await world.receive("1.2", ["a"]);
      world.files.mark({ what: "set aside", uid: "1.1" });
      await world.spool.setAside(damaged, "it does not match its checksum");
      await world.forward(other, "a");
    },
  },
  {
    name: "kept for a destination that is not configured, until it is again",
    before: oneForTwo,
    async run(world) {
      const [entry] = world.entries;
      await world.fail(entry!, "b", "not-configured");
      await world.fail(entry!, "a", "not-configured");
      await world.start();
      for (const { waiting, ...restored } of world.entries) {
        if (waiting.length !== 1) throw new Error(`${restored.base} waits for too many`);
      }
      for (const restored of world.entries) {
        await world.forward(restored, restored.waiting[0]!.destination);
      }
    },
  },
  {
    name: "routed by nothing, put back when a route is there",
    before: () => Promise.resolve(),
    async run(world) {
      const committed = await world.commit("1.1", ["a", "b"]);
      const entry = world.spool.enqueue(committed, [UNROUTED]);
      await world.fail(entry, UNROUTED, "unrouted");
      await world.retryAll();
      await world.forward(world.entries[0]!, "b");
      await world.forward(world.entries[0]!, "a");
    },
  },
  {
    name: "archived by second names, and forwarded",
    before: () => Promise.resolve(),
    async run(world) {
      const entries = [
        await world.receive("1.1", ["a", "archive"]),
        await world.receive("1.2", ["archive"]),
        await world.receive("1.3", ["archive"], { study: "1.4" }),
      ];
      const archive = world.archive();
      await world.toArchive(entries.slice(0, 2), archive);
      await world.toArchive(entries.slice(2), archive);
      await world.forward(entries[0]!, "a");
    },
  },
  {
    name: "archived by copying",
    before: () => Promise.resolve(),
    async run(world) {
      world.files.fault = (operation) => operation === "link" ? systemError("EXDEV") : undefined;
      const entries = [
        await world.receive("1.1", ["archive"], { padding: 5000 }),
        await world.receive("1.2", ["archive"]),
      ];
      await world.toArchive(entries);
    },
  },
  {
    name: "archived at the second attempt, after a sync that failed",
    before: () => Promise.resolve(),
    async run(world) {
      const entry = await world.receive("1.1", ["archive"]);
      world.files.fault = (operation) =>
        operation === "syncDirectory" ? systemError("EIO") : undefined;
      const archive = world.archive();
      await failing(world.toArchive([entry], archive));
      world.files.fault = () => undefined;
      await world.toArchive([entry], archive);
    },
  },
  {
    name: "archived at the second attempt, after the program was killed before the sync",
    before: () => Promise.resolve(),
    async run(world) {
      const entry = await world.receive("1.1", ["archive"]);
      world.files.fault = (operation) =>
        operation === "syncDirectory" ? systemError("EIO") : undefined;
      await failing(world.toArchive([entry]));
      world.files.fault = () => undefined;
      await world.start();
      await world.toArchive(world.entries);
    },
  },
  {
    name: "killed between answer and queue, started again",
    before: () => Promise.resolve(),
    async run(world) {
      await world.commit("1.1", ["a", "b"]);
      await world.commit("1.2", ["a"], { answered: false });
      const incoming = await world.spool.begin({
        sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
        sopInstanceUid: "1.3",
        transferSyntaxUid: "1.2.840.10008.1.2.1",
        sourceAeTitle: "MODALITY",
        receivingAeTitle: "FORWARDER",
      });
      incoming.write(new Uint8Array(300_000));
      await world.start();
      const [entry] = world.entries;
      await world.fail(entry!, "b");
      await world.forward(entry!, "a");
    },
  },
  {
    name: "killed in the sync of an instance, which the next start takes and archives",
    before: () => Promise.resolve(),
    async run(world) {
      world.files.hangs = true;
      void world.commit("1.1", ["archive", "a"], { answered: false });
      await turns();
      world.files.hangs = false;
      await world.start();
      if (world.entries.length !== 1) throw new Error("Nothing was found in the slot");
      await world.toArchive(world.entries);
    },
  },
  {
    name: "killed at its first start, started again",
    async run(world) {
      await world.start();
      await world.start();
      const entry = await world.receive("1.1", ["a", "b"]);
      await world.fail(entry, "b");
    },
  },
  {
    name: "more instances than slots were made at once, then a stop",
    before: () => Promise.resolve(),
    async run(world) {
      for (let n = 0; n < 36; n++) await world.receive(`1.${n}`, ["a"], { study: `1.2.${n % 3}` });
      for (const entry of world.entries.slice(0, 20)) await world.forward(entry, "a");
      await world.spool.settled();
      await world.spool.close();
    },
  },
  {
    name: "a sync that failed, the probe, and the next instance",
    before: () => Promise.resolve(),
    async run(world) {
      await world.receive("1.1", ["a"]);
      world.files.fault = (operation) => operation === "syncData" ? systemError("EIO") : undefined;
      await failing(world.commit("1.2", ["a"]));
      await world.spool.maintain();
      world.files.fault = () => undefined;
      await world.spool.maintain();
      if (world.spool.refusesNew() !== undefined) throw new Error("Nothing is taken any more");
      await world.receive("1.3", ["a"]);
    },
  },
  {
    name: "found in the queue and in failed/ by a start, put back, served twice",
    before: alsoFailed("link"),
    run: servedTwice,
  },
  {
    name: "found in the queue and as a copy in failed/ by a start, put back, served twice",
    before: alsoFailed("copy"),
    run: servedTwice,
  },
  {
    name: "found in the queue and in failed/, given up again for both",
    before: alsoFailed("link"),
    async run(world) {
      await world.start();
      const [entry] = world.entries;
      await world.fail(entry!, "b");
      await world.fail(entry!, "a");
    },
  },
  {
    name: "the clock set back, the program started again, the same instance sent again",
    before: () => Promise.resolve(),
    async run(world) {
      const began = world.time;
      const entry = await world.receive("1.1", ["a"]);
      await world.fail(entry, "a");
      await world.start();
      world.time = began;
      await world.receive("1.1", ["a"]);
      await world.retryAll();
    },
  },
];
