/*
 * Two who move the same instance at the same moment, one of them another process: whoever is late takes nothing away.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { realFileSystem, renameAway } from "../../src/spool/file_system.ts";
import { holdItems } from "../../src/spool/hold_by_hand.ts";
import { listItems, type QueueItem, removeItem } from "../../src/spool/inspect.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { bucketIn } from "../../src/spool/entry_name.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { type SpoolDirectory, store, withSpool } from "../helpers/spools.ts";

const WHY = { kind: "held", reason: "Held back by a person", when: "", tries: 0 } as const;

function itemOf(directory: SpoolDirectory, destination: string): QueueItem {
  return [...listItems(realFileSystem, directory.path)].find((item) =>
    item.destination === destination
  )!;
}

/** Where an instance lies in `held/b`. */
function heldPath(directory: SpoolDirectory, { base }: Entry): string {
  return join(directory.path, "held", "b", `${base}.dcm`);
}

/** What `queue hold` leaves of an instance for `b` that waits for `a`, too. */
function holdByCommand(directory: SpoolDirectory, entry: Entry): void {
  const item = itemOf(directory, "b");
  const path = heldPath(directory, entry);
  Deno.linkSync(item.path, `${path}.part`);
  Deno.renameSync(`${path}.part`, path);
  // As the hard link was there already, the rename may have done nothing.
  removeItem(realFileSystem, item);
}

for (const how of ["is over", "fails"] as const) {
  Deno.test(`what a command holds while the forwarder does, too, is held when that ${how}`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, ["a", "b"]);
      let met = false;
      directory.files.fault = (operation, path) => {
        if (met || operation !== "syncDirectory" || path !== join(directory.path, "held", "b")) {
          return undefined;
        }
        met = true;
        holdByCommand(directory, entry);
        spool.delivered(entry, "a");
        return how === "fails" ? systemError("EIO") : undefined;
      };
      await spool.apart.hold([entry], "b", WHY);
      await spool.settled();
      assert.ok(met);
      assert.ok(realFileSystem.exists(heldPath(directory, entry)), "it lies nowhere else");
      await spool.close();
    }));
}

Deno.test("what is given up while a person holds it back lies in failed/ alone", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    const reason = { kind: "not-configured", reason: "", when: "", tries: 0 } as const;
    const [{ done }, failed] = await Promise.all([
      spool.apart.hold([entry], "b", WHY),
      spool.fail(entry, "b", reason),
    ]);
    await spool.settled();
    const lies = directory.listing().filter((path) => path.endsWith(".dcm"));
    const bucket = lies.find((path) => path.startsWith("queue/"))!;
    assert.match(bucket, /\.a\.dcm$/);
    const place = done.length === 1 ? "held" : "failed";
    assert.deepEqual(lies.filter((path) => path !== bucket), [`${place}/b/${entry.base}.dcm`]);
    assert.equal(failed, place === "failed", "whoever asked is told");
    await spool.close();
  }));

Deno.test("a file that somebody moves back at once is not taken for what a rename left", () => {
  const folder = Deno.makeTempDirSync();
  const [from, to] = [join(folder, "from"), join(folder, "to")];
  Deno.writeTextFileSync(from, "an instance");
  const files = {
    ...realFileSystem,
    rename(one: string, other: string) {
      realFileSystem.rename(one, other);
      realFileSystem.rename(other, one);
    },
  };
  renameAway(files, from, to);
  assert.equal(Deno.readTextFileSync(from), "an instance");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("an instance that a command began to hold, and died, can be held again, and is in one place then", () =>
  withSpool(async (directory) => {
    const { spool } = await directory.start();
    const entry = await store(spool, ["a", "b"]);
    await spool.apart.hold([], "b", WHY);
    Deno.linkSync(entry.path, heldPath(directory, entry));
    spool.delivered(entry, "a");
    const item = itemOf(directory, "b");
    const never = () => Promise.resolve(false);
    const held = await holdItems(realFileSystem, directory.path, "b", [item], WHY, never);
    assert.deepEqual(held, ["held"]);
    assert.deepEqual(
      directory.listing().filter((path) => path.endsWith(".dcm")),
      [`held/b/${entry.base}.dcm`],
    );
    await spool.close();
  }));

for (const how of ["given up", "held back"] as const) {
  Deno.test(`what is moved back while it is being ${how}, and waits for nothing else by then, keeps its file`, () =>
    withSpool(async (directory) => {
      const { spool } = await directory.start();
      const entry = await store(spool, ["a", "b"]);
      const reason = { kind: "not-configured", reason: "", when: "", tries: 0 } as const;
      const folder = how === "given up" ? "failed" : "held";
      let back: Entry | undefined;
      directory.files.fault = (operation, path) => {
        const second = join(directory.path, folder, "b", `${entry.base}.dcm`);
        const at = join(directory.path, folder, "b");
        if (back !== undefined || operation !== "syncDirectory" || path !== at) return undefined;
        if (!realFileSystem.exists(second)) return undefined;
        spool.delivered(entry, "a");
        if (how === "given up") {
          // Its destination is configured again.
          back = [...spool.restoring(new Set(["b"]))].find((one) => one !== undefined);
        } else {
          // A command lets it go, and the forwarder takes what that put back.
          const item = itemOf(directory, "b");
          const name = `${item.id}.b.dcm`;
          Deno.renameSync(second, join(directory.path, "retry", name));
          Deno.renameSync(
            join(directory.path, "retry", name),
            join(directory.path, "queue", bucketIn(item.id), name),
          );
          Deno.removeSync(join(directory.path, "retry", name));
          back = entry;
        }
        return undefined;
      };
      if (how === "given up") assert.equal(await spool.fail(entry, "b", reason), false);
      else await spool.apart.hold([entry], "b", WHY);
      await spool.settled();
      assert.ok(back !== undefined);
      const lies = directory.listing().filter((path) => path.endsWith(".dcm"));
      assert.deepEqual(lies, [`queue/${bucketIn(entry.base)}/${entry.base}.b.dcm`]);
      await spool.close();
    }));
}
