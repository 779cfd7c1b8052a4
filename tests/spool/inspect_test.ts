/* What is seen of a spool from outside, item by item. */

import assert from "node:assert/strict";
import { listItems, type QueueItem, visitItems } from "../../src/spool/inspect.ts";
import { store, withSpool } from "../helpers/spools.ts";

Deno.test("items come one by one as they come in a list, and a failure's reason is read where it is asked for", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    await store(spool, ["a", "b"]);
    const failed = await store(spool, ["a"]);
    await spool.fail(failed, "a", { kind: "refused", reason: "no", when: "", tries: 3 });
    const opened = directory.files.opened;
    const items: QueueItem[] = [];
    await visitItems(directory.files, directory.path, (item) => items.push(item));
    assert.deepEqual(items.map((item) => `${item.state} ${item.destination}`), [
      "queued a",
      "queued b",
      "failed a",
    ]);
    assert.equal(directory.files.opened, opened, "to count them opens no file");
    assert.deepEqual([items[2]!.reason, items[2]!.tries], ["no", 3]);
    assert.equal(directory.files.opened, opened + 1, "the reason is read once");
    assert.deepEqual(items.map((item) => ({ ...item })), [
      ...[...listItems(directory.files, directory.path)].map((item) => ({ ...item })),
    ]);
    await spool.close();
  }));
