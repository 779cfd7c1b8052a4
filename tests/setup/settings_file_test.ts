/*
 * The settings file on the disk: whole or as it was, with what it was before beside it.
 */

import assert from "node:assert/strict";
import { contentsOf, Scratch } from "../helpers/scratch.ts";
import {
  readSettingsFile,
  saveSettingsFile,
  SettingsFileError,
} from "../../src/setup/settings_file.ts";

const ON_UNIX = Deno.build.os !== "windows";

async function save(path: string, text: string) {
  return await saveSettingsFile(await readSettingsFile(path), text);
}

Deno.test("a save leaves the new text and the one before, an older backup moves on", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("new", "config.json");
  assert.deepEqual(await save(path, "1"), { backup: undefined, warnings: [] });
  assert.deepEqual(contentsOf(scratch.path), ["new/", "new/config.json"]);
  await save(path, "2");
  await save(path, "3");
  const read = (name: string) => Deno.readTextFileSync(scratch.at("new", name));
  assert.deepEqual(
    ["config.json", "config.json.bak", "config.json.bak.1"].map(read),
    ["3", "2", "1"],
  );
  assert.equal(contentsOf(scratch.at("new")).length, 3, "nothing half-written is left");
});

Deno.test("what is there already is not saved again, and no backup is pushed out", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  await save(path, "1");
  await save(path, "2");
  assert.equal(await save(path, "2"), undefined);
  assert.equal(Deno.readTextFileSync(`${path}.bak`), "1");
});

Deno.test("a backup of the same content stays the one it is", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  await save(path, "1");
  Deno.writeTextFileSync(`${path}.bak`, "1");
  await save(path, "2");
  assert.deepEqual(contentsOf(scratch.path), ["config.json", "config.json.bak"]);
});

Deno.test("a file that someone else changed in the meantime is not overwritten", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  const absent = await readSettingsFile(path);
  Deno.writeTextFileSync(path, "theirs");
  await assert.rejects(saveSettingsFile(absent, "ours"), SettingsFileError);
  const seen = await readSettingsFile(path);
  Deno.writeTextFileSync(path, "theirs again");
  await assert.rejects(saveSettingsFile(seen, "ours"), /changed by someone else/);
  assert.equal(Deno.readTextFileSync(path), "theirs again");
  assert.deepEqual(contentsOf(scratch.path), ["config.json"]);
});

Deno.test({
  name: "the mode stays, and a link stays one",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    const path = scratch.at("real.json");
    Deno.writeTextFileSync(path, "1");
    Deno.chmodSync(path, 0o666);
    Deno.symlinkSync(path, scratch.at("config.json"));
    await save(scratch.at("config.json"), "2");
    assert.equal(Deno.readTextFileSync(path), "2");
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o666);
    assert.equal(Deno.statSync(`${path}.bak`).mode! & 0o777, 0o666);
    assert.ok(Deno.lstatSync(scratch.at("config.json")).isSymlink);
  },
});

Deno.test({
  name: "a file that is made is its owner's alone, and its folder nobody else's to write to",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    const before = Deno.umask(0);
    try {
      await save(scratch.at("new", "config.json"), "{}");
    } finally {
      Deno.umask(before);
    }
    assert.equal(Deno.statSync(scratch.at("new", "config.json")).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(scratch.at("new")).mode! & 0o777, 0o755);
  },
});

Deno.test({
  name:
    "a file that gets a secret is closed to everybody, and says so; what its group may it keeps",
  ignore: !ON_UNIX,
  fn: async () => {
    await using scratch = await Scratch.make();
    const path = scratch.at("config.json");
    const secret = '{"web": {"password_hash": "x"}}';
    Deno.writeTextFileSync(path, "{}");
    Deno.chmodSync(path, 0o644);
    const saved = await saveSettingsFile(await readSettingsFile(path), secret);
    assert.match(saved!.warnings.join(), /open to everybody .*service install/);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o640);
    assert.equal(Deno.statSync(`${path}.bak`).mode! & 0o777, 0o644, "nothing secret is in it");
    const again = await saveSettingsFile(await readSettingsFile(path), secret + "\n");
    assert.deepEqual(again!.warnings, []);
    assert.equal(Deno.statSync(`${path}.bak`).mode! & 0o777, 0o640);
    Deno.chmodSync(path, 0o644);
    await saveSettingsFile(await readSettingsFile(path), "{}");
    assert.equal(Deno.statSync(`${path}.bak`).mode! & 0o777, 0o640, "the backup has the secret");
  },
});

Deno.test({
  name: "a file of another user stays his",
  ignore: !ON_UNIX || Deno.uid() !== 0,
  fn: async () => {
    await using scratch = await Scratch.make();
    const path = scratch.at("config.json");
    Deno.writeTextFileSync(path, "1");
    Deno.chmodSync(path, 0o600);
    Deno.chownSync(path, 12_345, 23_456);
    await save(path, "2");
    const { uid, gid, mode } = Deno.statSync(path);
    assert.deepEqual([uid, gid, mode! & 0o777], [12_345, 23_456, 0o600]);
  },
});

Deno.test("a save that fails says so and leaves the file and no other", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  Deno.writeTextFileSync(path, "1");
  // A folder where the backup goes.
  scratch.folder("config.json.bak", "inside");
  await assert.rejects(save(path, "2"), SettingsFileError);
  assert.equal(Deno.readTextFileSync(path), "1");
  assert.deepEqual(contentsOf(scratch.path), [
    "config.json",
    "config.json.bak/",
    "config.json.bak/inside/",
  ]);
});

Deno.test("what a file holds is told: nothing, settings with their faults, or why not", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  const content = async (bytes: Uint8Array | string) => {
    Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    return (await readSettingsFile(path)).content;
  };
  assert.equal((await readSettingsFile(path)).content.kind, "none");
  const right = await content('\ufeff{"store_locally": true}');
  assert.ok(right.kind === "settings" && right.faults.length === 0);
  assert.equal(right.text, '{"store_locally": true}');
  const wrong = await content('{"local_port": "x", "store_locally": true}');
  assert.ok(wrong.kind === "settings" && wrong.faults[0]?.path === "local_port");
  for (const broken of ["", "[]", "{", '{"a": 1, "a": 2}', new Uint8Array([0xff, 0xfe, 0x7b, 0])]) {
    assert.equal((await content(broken)).kind, "broken", JSON.stringify(broken));
  }
});

Deno.test("a folder in the place of the file is told in words", async () => {
  await using scratch = await Scratch.make();
  await assert.rejects(readSettingsFile(scratch.path), SettingsFileError);
});

Deno.test("a file that another program holds for a moment is waited for", async () => {
  await using scratch = await Scratch.make();
  const path = scratch.at("config.json");
  await save(path, "1");
  const real = Deno.rename;
  let held = 3;
  Deno.rename = (from, to) =>
    held-- > 0
      ? Promise.reject(Object.assign(new Deno.errors.Busy("held"), { code: "EBUSY" }))
      : real(from, to);
  try {
    await save(path, "2");
  } finally {
    Deno.rename = real;
  }
  assert.deepEqual(contentsOf(scratch.path), ["config.json", "config.json.bak"]);
  assert.equal(Deno.readTextFileSync(path), "2");
});
