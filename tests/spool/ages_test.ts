/*
 * How much waits, by its age: as the spool counts it while instances come, go and come back in every way there is, against
 * a look at every name on the disk.
 */

import assert from "node:assert/strict";
import { ageClass, noAges } from "../../src/control/ages.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { listItems, type QueueItem, removeItem, retryItem } from "../../src/spool/inspect.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { seededRandom } from "../crash/crash_states.ts";
import { type SpoolDirectory, store, withSpool } from "../helpers/spools.ts";

const DESTINATIONS = ["a", "b", "unrouted", "old"];
const MINUTE_MS = 60_000;
const STEPS = 120;

const HELD = { kind: "held", reason: "by a test", when: "", tries: 0, by: "test" } as const;
const FAILED = { kind: "refused", reason: "by a test", when: "", tries: 3 } as const;
const NOT_CONFIGURED = { ...FAILED, kind: "not-configured" } as const;

function itemsOf(directory: SpoolDirectory): QueueItem[] {
  return [...listItems(directory.files, directory.path)].filter(({ path }) =>
    !/[\\/]retry[\\/]/.test(path)
  );
}

/** A plain count of what the disk has. */
function onDisk(directory: SpoolDirectory): Record<string, number[]> {
  const ages = Object.fromEntries(DESTINATIONS.map((name) => [name, noAges()]));
  for (const { state, destination, receivedMs } of itemsOf(directory)) {
    if (state !== "queued") continue;
    const minuteEnd = (Math.floor(receivedMs / MINUTE_MS) + 1) * MINUTE_MS;
    ages[destination]![ageClass(directory.time - minuteEnd)]!++;
  }
  return ages;
}

function counted(spool: Spool, now: number): Record<string, number[]> {
  return Object.fromEntries(DESTINATIONS.map((name) => [name, spool.index.ages(name, now)]));
}

for (const seed of [1, 2]) {
  Deno.test(`what waits is counted by its age, whatever comes, goes and comes back: ${seed}`, () =>
    withSpool(async (directory) => {
      const random = seededRandom(seed);
      const below = (most: number) => Math.floor(random() * most);
      const oneOf = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
      let { spool, entries } = await directory.start();
      /** Those that may wait, as delivery has them. */
      const waiting = () => entries.filter((entry) => entry.queued);
      const one = () => {
        const entry = oneOf(waiting());
        return entry && { entry, destination: oneOf(entry.waiting)!.destination };
      };
      const apart = (state: "failed" | "held") =>
        oneOf(itemsOf(directory).filter((item) => item.state === state));
      let most = 0;
      const ways: Readonly<Record<string, () => void | Promise<void>>> = {
        async received() {
          const some = ["a", "b", "old"].filter(() => random() < 0.4);
          // What no route matched waits for nothing else.
          const wanted = some.length === 0 ? ["unrouted"] : some;
          for (let n = below(5); n >= 0; n--) entries.push(await store(spool, wanted));
        },
        time() {
          // Set back, now and then.
          directory.time += (random() < 0.2 ? -1 : 1) * below(300) * MINUTE_MS + below(MINUTE_MS);
        },
        async delivered() {
          for (let n = below(6); n >= 0; n--) {
            const found = one();
            if (found) spool.delivered(found.entry, found.destination);
          }
          await spool.settled();
        },
        async removed() {
          const found = one();
          if (found) spool.removed(found.entry, found.destination);
          await spool.settled();
        },
        refused() {
          const found = one();
          if (found) spool.countTry(found.entry, found.destination);
        },
        async failed() {
          const found = one();
          if (found) await spool.fail(found.entry, found.destination, FAILED);
        },
        async notConfigured() {
          const found = one();
          if (found) await spool.fail(found.entry, found.destination, NOT_CONFIGURED);
        },
        async held() {
          const found = one();
          if (!found) return;
          const some = waiting().filter((entry) => entry === found.entry || random() < 0.1);
          await spool.apart.hold(some, found.destination, HELD);
        },
        async putBack() {
          const state = random() < 0.5 ? "failed" : "held";
          const item = apart(state);
          if (item === undefined) return;
          const to = item.destination === "unrouted" ? ["a", "b"] : [item.destination];
          const { done } = await spool.apart.putBack(
            state,
            item.destination,
            new Map([[item.id, to]]),
          );
          entries.push(...done);
        },
        async putBackByCommand() {
          const item = apart("failed");
          if (item !== undefined) retryItem(directory.files, directory.path, item);
          entries.push(...await spool.adoptRetries(() => Promise.resolve(["a", "b"]), "unrouted"));
        },
        async removedByCommand() {
          const item = oneOf(itemsOf(directory));
          if (item === undefined) return;
          removeItem(directory.files, item);
          // Noticed when it is looked at next.
          for (const entry of waiting()) spool.isThere(entry);
          if (item.state !== "queued") {
            spool.index.tookBack(item.state, item.destination, [item.id]);
          }
          await spool.settled();
        },
        async corrupt() {
          const found = one();
          if (found) await spool.setAside(found.entry, "by a test");
        },
        configuredAgain() {
          entries.push(...spool.restoreConfigured(new Set(["old", "b"])));
        },
        async restarted() {
          await spool.close();
          ({ spool, entries } = await directory.start());
        },
      };
      for (let step = 0; step < STEPS; step++) {
        // As much comes as goes.
        const way = random() < 0.4 ? "received" : oneOf(Object.keys(ways))!;
        await ways[way]!();
        const wanted = onDisk(directory);
        assert.deepEqual(counted(spool, directory.time), wanted, `after ${step}: ${way}`);
        for (const name of DESTINATIONS) {
          const sum = wanted[name]!.reduce((all, count) => all + count, 0);
          assert.equal(spool.index.counts(name).queued, sum, `after ${step}: ${way}`);
          most = Math.max(most, sum);
        }
      }
      assert.ok(most > 20, `${most} waited at most`);
      for (const entry of waiting() as Entry[]) {
        for (const { destination } of entry.waiting) spool.delivered(entry, destination);
      }
      await spool.settled();
      const none = Object.fromEntries(DESTINATIONS.map((name) => [name, noAges()]));
      assert.deepEqual(counted(spool, directory.time), none);
      await spool.close();
    }));
}
