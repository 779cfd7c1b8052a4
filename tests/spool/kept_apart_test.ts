/*
 * What a person holds back: kept over starts, never sent, split off where others still want it, and let go whole.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { holdItems } from "../../src/spool/hold_by_hand.ts";
import { listItems, type QueueItem, removeItem, retryItem } from "../../src/spool/inspect.ts";
import { leaveNotices, takeNotices } from "../../src/spool/notices.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { dataSet, type SpoolDirectory, store, withSpool } from "../helpers/spools.ts";

const WHY = {
  kind: "held",
  reason: "Held back by a test",
  when: "",
  tries: 0,
  by: "test",
} as const;

function queued(directory: SpoolDirectory, destination: string): QueueItem[] {
  return [...listItems(directory.files, directory.path)].filter((item) =>
    item.state === "queued" && item.destination === destination
  );
}

function states(directory: SpoolDirectory): string[] {
  return [...listItems(directory.files, directory.path)]
    .map((item) => `${item.destination} ${item.state}`).sort();
}

const never = () => Promise.resolve(false);

Deno.test("one that waits for two is held for one of them, goes on for the other, and is whole when it is let go", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const { done, failed } = await spool.apart.hold([entry], "b", WHY);
    assert.deepEqual([done, failed.size], [[entry], 0]);
    assert.deepEqual(entry.waiting.map((one) => one.destination), ["a"]);
    assert.deepEqual(states(directory), ["a queued", "b held"]);
    assert.equal(spool.apart.reason("held", "b", entry.base)!.by, "test");
    spool.delivered(entry, "a");
    await spool.settled();
    assert.deepEqual(states(directory), ["b held"]);
    const back = await spool.apart.putBack("held", "b", new Map([[entry.base, ["b"]]]));
    const instance = spool.openEntry(back.done[0]!, true)!;
    assert.ok(await instance.readThrough());
    instance.close();
    assert.deepEqual(states(directory), ["b queued"]);
    assert.deepEqual(spool.index.counts("b"), { queued: 1, failed: 0, held: 0 });
  });
});

Deno.test("what a command holds and lets go before anybody looks is one instance, not two", async () => {
  for (const destinations of [["b"], ["a", "b"]]) {
    await withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, destinations);
      await holdItems(directory.files, directory.path, "b", queued(directory, "b"), WHY, never);
      const held = [...listItems(directory.files, directory.path)].find((one) =>
        one.state === "held"
      );
      retryItem(directory.files, directory.path, held!);
      const [back] = await spool.adoptRetries(() => Promise.resolve([]), "unrouted");
      assert.deepEqual(spool.index.counts("b"), { queued: 1, failed: 0, held: 0 });
      assert.deepEqual(spool.index.ages("b", directory.time), [1, 0, 0, 0, 0, 0]);
      assert.deepEqual([entry.waitsFor("b"), back!.waitsFor("b")], [false, true]);
      assert.equal(entry.waitsFor("a"), destinations.includes("a"));
    });
  }
});

Deno.test("a start that finds one both held and in the queue, as a crash may leave it, sends it to nobody it is held from", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const alone = await store(spool, ["b"], dataSet(), { sopInstanceUid: "1.2.3.5" });
    const folder = join(directory.path, "held", "b");
    directory.files.makeDirectory(folder);
    for (const one of [entry, alone]) {
      directory.files.link(one.path, join(folder, `${one.base}.dcm`));
    }
    const { entries } = await directory.start();
    assert.deepEqual(entries.map((one) => one.waiting.map(({ destination }) => destination)), [[
      "a",
    ]]);
    assert.deepEqual(states(directory), ["a queued", "b held", "b held"]);
  });
});

Deno.test("where held/ cannot be brought to the disk, what waits for others, too, goes on waiting for all", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    directory.files.fault = (operation, path) =>
      operation === "syncDirectory" && path.endsWith("b") ? systemError("EIO") : undefined;
    const { done, failed } = await spool.apart.hold([entry], "b", WHY);
    assert.equal(done.length, 0);
    assert.match(String(failed.get(entry)), /EIO|failed/);
    directory.files.fault = () => undefined;
    assert.ok(entry.waitsFor("b"));
    assert.deepEqual(states(directory), ["a queued", "b queued"]);
  });
});

Deno.test("a command holds by the files alone, and what was let go or removed by one is found by the next start", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    await store(spool, ["a", "b"]);
    await store(spool, ["a"], dataSet(), { sopInstanceUid: "1.2.3.5" });
    await spool.close();
    const { files, path } = directory;
    const result = await holdItems(files, path, "a", queued(directory, "a"), WHY, never);
    assert.deepEqual(result, ["held", "held"]);
    assert.deepEqual(states(directory), ["a held", "a held", "b queued"]);
    const [one, other] = [...listItems(files, path)].filter((item) => item.state === "held");
    assert.equal(one!.reason, WHY.reason);
    retryItem(files, path, one!);
    removeItem(files, other!);
    const started = await directory.start();
    const adopted = await started.spool.adoptRetries(() => Promise.resolve([]), "unrouted");
    assert.deepEqual(adopted.map((entry) => entry.waiting[0]!.destination), ["a"]);
    assert.deepEqual(started.spool.index.counts("a"), { queued: 1, failed: 0, held: 0 });
  });
});

Deno.test("one that a command holds while it is being delivered is not left in held/ by the delivery", async () => {
  for (const destinations of [["a"], ["a", "b"]]) {
    await withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, destinations);
      const item = queued(directory, "a");
      assert.deepEqual(await holdItems(directory.files, directory.path, "a", item, WHY, never), [
        "held",
      ]);
      // The association had it open all the while, and Success comes.
      spool.delivered(entry, "a");
      await spool.settled();
      assert.deepEqual(states(directory), destinations.slice(1).map((one) => `${one} queued`));
      assert.deepEqual([...directory.files.list(join(directory.path, "held", "a"))], []);
    });
  }
});

Deno.test("one that is delivered while a command gives it its second name is gone, and stays where the ledger does not say so", async () => {
  for (const delivered of [true, false]) {
    await withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, ["a", "b"]);
      const [item] = queued(directory, "a");
      let once = true;
      directory.files.fault = (operation, path) => {
        // Between the second name and the change of the first one.
        if (operation === "syncDirectory" && path.endsWith(join("held", "a")) && once) {
          once = false;
          spool.delivered(entry, "a");
        }
        return undefined;
      };
      const said = () => Promise.resolve(delivered);
      const result = await holdItems(directory.files, directory.path, "a", [item!], WHY, said);
      assert.deepEqual(result, ["gone"]);
      assert.deepEqual(states(directory), delivered ? ["b queued"] : ["a held", "b queued"]);
    });
  }
});

Deno.test("a held instance that is read while it goes its way keeps its file from being written over", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a"]);
    await spool.apart.hold([entry], "a", WHY);
    const instance = spool.apart.open("held", "a", entry.base);
    const { done } = await spool.apart.putBack("held", "a", new Map([[entry.base, ["a"]]]));
    spool.delivered(done[0]!, "a");
    await spool.settled();
    for (let n = 0; n < 40; n++) {
      const other = await store(spool, ["a"], dataSet({ instance: `1.9.${n}` }), {
        sopInstanceUid: `1.9.${n}`,
      });
      spool.delivered(other, "a");
    }
    assert.ok(await instance.readThrough());
    instance.close();
  });
});

Deno.test("notices come as they were left, and lines that are none are passed over", async () => {
  await withSpool(async (directory) => {
    const { spool } = await directory.start();
    const { base: id } = await store(spool, ["a"]);
    const notice = { what: "changed", id, destination: "a" } as const;
    leaveNotices(directory.files, directory.path, [notice], 1);
    assert.deepEqual(takeNotices(directory.files, directory.path), [notice]);
    assert.deepEqual(takeNotices(directory.files, directory.path), []);
    Deno.writeTextFileSync(join(directory.path, "retry", "x.notice"), `rm -rf\nchanged ../x a\n\0`);
    assert.deepEqual(takeNotices(directory.files, directory.path), []);
    assert.deepEqual([...directory.files.list(join(directory.path, "retry"))], []);
  });
});
