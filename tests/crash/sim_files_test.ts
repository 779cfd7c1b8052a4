/*
 * The simulated file system does what the real one does, and its power cuts leave what its models say: no more is lost
 * than a sync allows, and no less.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  copyFile,
  type FileSystem,
  realFileSystem,
  renameAway,
  replaceTextFile,
  secondName,
} from "../../src/spool/file_system.ts";
import { systemError } from "../helpers/faulty_files.ts";
import { Scratch } from "../helpers/scratch.ts";
import { crashStates, type Model, MODELS, seededRandom } from "./crash_states.ts";
import { Disk } from "./sim_disk.ts";
import { SimFiles } from "./sim_files.ts";

const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

/** Does a step and says what came of it. */
async function outcomeOf(step: () => unknown): Promise<string> {
  try {
    return `${await step() ?? ""}`;
  } catch (error) {
    return error instanceof Error ? error.constructor.name : "?";
  }
}

function read(files: FileSystem, path: string): string {
  const file = files.open(path, "read");
  try {
    const bytes = new Uint8Array(1000);
    return `${file.size()} ${text(bytes.subarray(0, file.read(bytes)))}`;
  } finally {
    file.close();
  }
}

async function create(files: FileSystem, path: string, content: string): Promise<void> {
  const file = await files.createLater(path);
  file.write(new TextEncoder().encode(content));
  file.seek(1);
  file.write(new TextEncoder().encode("#"));
  await file.syncData();
  file.close();
}

Deno.test("whatever is done to it, the simulated file system answers as the real one does", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    await using scratch = await Scratch.make();
    const sim = new SimFiles();
    sim.makeDirectory("/top");
    const random = seededRandom(seed);
    const among = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!;
    for (let n = 0; n < 40; n++) {
      const names = ["a", "b", "c", "d/a", "d/b", "d/e/a", "missing/a", "a/b"];
      const [one, two] = [among(names), among(names)];
      const folder = among(["d", "d/e"]);
      const step = Math.floor(random() * 12);
      const content = `content ${n}`;
      const run = (files: FileSystem, root: string) => {
        const [from, to] = [join(root, one), join(root, two)];
        return outcomeOf(() => {
          switch (step) {
            case 0:
              return create(files, from, content);
            case 1:
              return replaceTextFile(files, from, content);
            case 2:
              return files.rename(from, to);
            case 3:
              return renameAway(files, from, to);
            case 4:
              return files.link(from, to);
            case 5:
              return files.remove(from);
            case 6:
              return files.removeLater(from);
            case 7:
              return files.makeDirectory(join(root, folder));
            case 8:
              return read(files, from);
            case 9:
              return from === to ? undefined : copyFile(files, from, to);
            case 10:
              return secondName(files, from, to, root);
            default:
              return [...files.list(join(root, folder))].sort().join();
          }
        });
      };
      const expected = await run(realFileSystem, scratch.path);
      assert.equal(
        await run(sim, "/top"),
        expected,
        `seed ${seed}, step ${n}: ${step} ${one} ${two}`,
      );
      for (const name of names) {
        const there = await outcomeOf(() => realFileSystem.exists(scratch.at(name)));
        assert.equal(await outcomeOf(() => sim.exists(`/top/${name}`)), there, `${seed} ${name}`);
      }
    }
  }
});

/** Texts that a file can have after a power cut at the end; "-" where it is not there. */
function possible(files: SimFiles, path: string, model: Model): string[] {
  const found = new Set<string>();
  const recording = { base: new Disk(), trace: files.trace };
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    for (const disk of crashStates(recording, files.trace.length, model, 64, random)) {
      found.add(text(new SimFiles(disk).contentOf(path)) ?? "-");
    }
  }
  return [...found].sort();
}

async function written(how: "file" | "name" | "both" | "nothing" | "failed"): Promise<SimFiles> {
  const files = new SimFiles();
  const file = files.open("/one", "create");
  file.write(new TextEncoder().encode("text"));
  if (how === "failed") {
    files.fault = () => systemError("EIO");
    await assert.rejects(file.syncData(), { code: "EIO" });
    files.fault = () => undefined;
    await file.syncData();
    await files.syncDirectory("/");
  }
  if (how === "file" || how === "both") await file.syncData();
  if (how === "name" || how === "both") await files.syncDirectory("/");
  return files;
}

Deno.test("what is synced survives every power cut, what is not may or may not", async () => {
  for (const model of MODELS) {
    assert.deepEqual(possible(await written("both"), "/one", model), ["text"], model);
    assert.deepEqual(possible(await written("file"), "/one", model), ["-", "text"], model);
    for (const how of ["name", "failed", "nothing"] as const) {
      const found = possible(await written(how), "/one", model);
      assert.equal(found.includes("-"), how === "nothing", `${model} ${how}: ${found}`);
      for (const content of ["", "text"]) assert.ok(found.includes(content), `${model} ${how}`);
      const torn = found.some((content) => content.includes("\0"));
      assert.equal(torn, model !== "ordered", `${model} ${how}: ${JSON.stringify(found)}`);
    }
  }
});

Deno.test("a rename that is not synced leaves the old name or the new one, never none", async () => {
  const files = await written("both");
  files.makeDirectory("/folder");
  await files.syncDirectory("/");
  files.rename("/one", "/folder/two");
  const recording = { base: new Disk(), trace: files.trace };
  for (const model of MODELS) {
    const found = new Set<string>();
    for (
      const disk of crashStates(recording, files.trace.length, model, 64, seededRandom(1))
    ) {
      const after = new SimFiles(disk);
      found.add(["/one", "/folder/two"].filter((path) => after.exists(path)).join(" "));
    }
    // Both, where nothing ties one folder's changes to another's.
    const both = model === "ordered" ? [] : ["/one /folder/two"];
    assert.deepEqual([...found].sort(), ["/folder/two", "/one", ...both], model);
  }
});

Deno.test("what is put into a folder is lost with it, where the folder's own name is not synced", async () => {
  const files = new SimFiles();
  files.makeDirectory("/folder");
  await create(files, "/folder/one", "text");
  await files.syncDirectory("/folder");
  assert.deepEqual(possible(files, "/folder/one", "ordered"), ["t#xt"]);
  assert.deepEqual(possible(files, "/folder/one", "unordered"), ["-", "t#xt"]);
  await files.syncDirectory("/");
  assert.deepEqual(possible(files, "/folder/one", "unordered"), ["t#xt"]);
});

Deno.test("bytes that are not synced are torn at blocks of 512 and 4,096, and within one", async () => {
  const files = new SimFiles();
  const file = files.open("/one", "create");
  file.write(new Uint8Array(9000).fill(1));
  await files.syncDirectory("/");
  const lengths = new Set<number>();
  for (const content of possible(files, "/one", "torn")) {
    lengths.add(content.lastIndexOf("\x01") + 1);
  }
  for (const length of [0, 512, 4096, 8192, 8704, 9000]) {
    assert.ok(lengths.has(length), `${length}`);
  }
  assert.ok([...lengths].some((length) => length % 512 !== 0 && length !== 9000));
});
