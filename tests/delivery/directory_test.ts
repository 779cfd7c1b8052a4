/*
 * The archive folder in real directories: links where there are any, copies where not, nothing replaced, nothing outside.
 */

import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { DirectoryDestination } from "../../src/delivery/directory.ts";
import { DestinationError, type Outcome } from "../../src/delivery/outcome.ts";
import { encodeDataSet } from "../../src/dicom/encode.ts";
import type { Entry } from "../../src/spool/entry.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { ATTACKS } from "../helpers/attack_names.ts";
import { FaultyFiles, systemError } from "../helpers/faulty_files.ts";
import { sha256 } from "../helpers/hashes.ts";
import { noise } from "../helpers/hex.ts";
import { dataSet, META, type SpoolDirectory, store, withSpool } from "../helpers/spools.ts";

const NEVER = new AbortController().signal;

class Archive {
  readonly root: string;
  readonly destination: DirectoryDestination;
  readonly directory: SpoolDirectory;
  readonly spool: Spool;

  constructor(directory: SpoolDirectory, spool: Spool) {
    this.directory = directory;
    this.spool = spool;
    this.root = join(directory.path, "archive");
    this.destination = this.another();
  }

  another(name = "archive"): DirectoryDestination {
    return new DirectoryDestination(
      { type: "directory", name, path: this.root, retryAttempts: 3 },
      this.spool,
      this.directory.files,
      { tellPaths: true },
    );
  }

  async deliver(entries: readonly Entry[], destination = this.destination): Promise<Outcome[]> {
    const outcomes = new Map<Entry, Outcome>();
    const session = await destination.open();
    await session.deliver(entries, (entry, outcome) => outcomes.set(entry, outcome), NEVER);
    return entries.map((entry) => outcomes.get(entry)!);
  }

  /** Files below the root, with their inode. */
  files(): Map<string, number | null> {
    const found = new Map<string, number | null>();
    const walk = (folder: string) => {
      for (const entry of Deno.readDirSync(folder)) {
        const path = join(folder, entry.name);
        if (entry.isDirectory) walk(path);
        else found.set(plainPath(this.root, path), Deno.statSync(path).ino);
      }
    };
    walk(this.root);
    return found;
  }
}

/** Relative, with slashes on every system. */
function plainPath(from: string, to: string): string {
  return relative(from, to).replaceAll("\\", "/");
}

function withArchive(use: (archive: Archive) => Promise<void>): Promise<void> {
  return withSpool(async (directory) => {
    const { spool } = await directory.start();
    await use(new Archive(directory, spool));
    spool.close();
  });
}

Deno.test("an instance is linked to its place, and its folders are on the disk before it counts as delivered", () =>
  withArchive(async (archive) => {
    const entry = await store(archive.spool, ["archive"]);
    const [outcome] = await archive.deliver([entry]);
    assert.equal(outcome!.kind, "delivered");
    const name = "P1/1.2.3/1.2.3.1/1.2.3.4.dcm";
    assert.deepEqual([...archive.files()], [[name, Deno.statSync(entry.path).ino]]);
    const synced = archive.directory.files.calls.filter((call) =>
      call.operation === "syncDirectory"
    ).map((call) => plainPath(archive.directory.path, call.path));
    for (
      const folder of ["", "archive", "archive/P1", "archive/P1/1.2.3", "archive/P1/1.2.3/1.2.3.1"]
    ) assert.ok(synced.includes(folder), `${folder} of ${synced}`);
    archive.spool.delivered(entry, "archive");
    assert.equal(archive.files().size, 1, "the archive keeps it");
  }));

// On Windows EPERM is what is said of files that are held, too.
const CANNOT_LINK = ["EXDEV", "EMLINK", "EOPNOTSUPP"];
if (Deno.build.os !== "windows") CANNOT_LINK.push("EPERM");

for (const code of CANNOT_LINK) {
  Deno.test(`where linking fails with ${code} it is a whole copy, and linking is not tried again`, () =>
    withArchive(async (archive) => {
      archive.directory.files.fault = (operation) =>
        operation === "link" ? systemError(code) : undefined;
      const bytes = dataSet();
      const one = await store(archive.spool, ["archive"], bytes);
      const two = await store(archive.spool, ["archive"], bytes, { sopInstanceUid: "1.2.3.5" });
      const outcomes = await archive.deliver([one, two]);
      assert.deepEqual(outcomes.map((outcome) => outcome.kind), ["delivered", "delivered"]);
      assert.equal(archive.directory.files.count("link"), 1);
      const [name] = archive.files().keys();
      assert.deepEqual(Deno.readFileSync(join(archive.root, name!)), Deno.readFileSync(one.path));
      assert.equal(archive.files().size, 2, "and no part of a copy is left");
    }));
}

Deno.test("where a link fails because a file is held it is a whole copy, and linking is tried the next time", () =>
  withArchive(async (archive) => {
    const { files } = archive.directory;
    files.fault = (operation) => operation === "link" ? systemError("EBUSY") : undefined;
    const one = await store(archive.spool, ["archive"]);
    assert.deepEqual((await archive.deliver([one])).map((outcome) => outcome.kind), ["delivered"]);
    files.fault = () => undefined;
    const two = await store(archive.spool, ["archive"], dataSet({ instance: "1.2.3.5" }), {
      sopInstanceUid: "1.2.3.5",
    });
    assert.deepEqual((await archive.deliver([two])).map((outcome) => outcome.kind), ["delivered"]);
    assert.equal(files.count("link"), 2);
    const inodes = [...archive.files().values()];
    assert.equal(inodes.includes(Deno.statSync(two.path).ino), true);
    assert.equal(inodes.includes(Deno.statSync(one.path).ino), false);
  }));

/** Files whose names are the same in small letters and in capitals, as on NTFS. */
class CaseBlindFiles extends FaultyFiles {
  readonly #below: string;

  constructor(below: string) {
    super();
    this.#below = below;
  }

  #plain(path: string): string {
    return path.startsWith(this.#below)
      ? this.#below + path.slice(this.#below.length).toLowerCase()
      : path;
  }

  override open(path: string, mode: Parameters<FaultyFiles["open"]>[1]) {
    return super.open(this.#plain(path), mode);
  }

  override rename(from: string, to: string) {
    super.rename(this.#plain(from), this.#plain(to));
  }

  override link(existing: string, name: string) {
    super.link(this.#plain(existing), this.#plain(name));
  }

  override protect(path: string) {
    super.protect(this.#plain(path));
  }

  override remove(path: string) {
    super.remove(this.#plain(path));
  }

  override makeDirectory(path: string) {
    super.makeDirectory(this.#plain(path));
  }

  override exists(path: string) {
    return super.exists(this.#plain(path));
  }

  override syncDirectory(path: string) {
    return super.syncDirectory(this.#plain(path));
  }
}

for (const way of ["linked", "copied"]) {
  Deno.test(`where capitals make no difference, instances of names that differ in them are ${way} beside each other`, () =>
    withArchive(async (archive) => {
      const files = new CaseBlindFiles(archive.root);
      files.fault = (operation) =>
        operation === "link" && way === "copied" ? systemError("EXDEV") : undefined;
      const destination = new DirectoryDestination(
        { type: "directory", name: "archive", path: archive.root, retryAttempts: 3 },
        archive.spool,
        files,
        { tellPaths: true },
      );
      const ids = [["A", "1.2.X"], ["a", "1.2.X"], ["A", "1.2.x"], ["a", "1.2.x"]] as const;
      const hashes: string[] = [];
      for (const [patient, instance] of ids) {
        const bytes = dataSet({ patient, instance });
        const entry = await store(archive.spool, ["archive"], bytes, { sopInstanceUid: instance });
        hashes.push(sha256(Deno.readFileSync(entry.path)));
        const [outcome] = await archive.deliver([entry], destination);
        assert.equal(outcome!.kind, "delivered");
      }
      const kept = [...archive.files().keys()].map((name) =>
        sha256(Deno.readFileSync(join(archive.root, name)))
      );
      assert.deepEqual(kept.sort(), hashes.sort(), "all four, each as it was");
    }));
}

Deno.test("a copy that a scanner holds waits for its name, holds up nobody, and is not copied again", () =>
  withArchive(async (archive) => {
    const { files } = archive.directory;
    const held = await store(archive.spool, ["archive"]);
    const other = await store(archive.spool, ["archive"], dataSet({ instance: "1.2.3.5" }), {
      sopInstanceUid: "1.2.3.5",
    });
    let scanning = true;
    files.fault = (operation, _path, from) =>
      operation === "link"
        ? systemError("EXDEV")
        : scanning && operation === "rename" && from!.includes(held.base)
        ? systemError("EBUSY")
        : undefined;
    const kinds = (await archive.deliver([held, other])).map((outcome) => outcome.kind);
    assert.deepEqual(kinds, ["held", "delivered"]);
    const synced = () => files.calls.filter((call) => call.operation === "syncData").length;
    const before = synced();
    scanning = false;
    assert.deepEqual((await archive.deliver([held])).map((outcome) => outcome.kind), ["delivered"]);
    assert.equal(synced(), before, "the copy was there");
    assert.deepEqual(archive.files().size, 2, "and nothing of it is left beside");
  }));

Deno.test("another error in linking is the destination's trouble, not the instance's", () =>
  withArchive(async (archive) => {
    archive.directory.files.fault = (operation) =>
      operation === "link" ? systemError("ENOSPC", "no space left") : undefined;
    const entry = await store(archive.spool, ["archive"]);
    await assert.rejects(archive.deliver([entry]), (error: unknown) => {
      assert.ok(error instanceof DestinationError);
      assert.equal(error.kind, "unreachable");
      assert.match(error.message, /Cannot write to .*archive.*no space left/);
      return true;
    });
    assert.equal(entry.queued, true);
  }));

Deno.test("a copy cut off by a full disk is begun anew the next time", () =>
  withArchive(async (archive) => {
    const { files } = archive.directory;
    const entry = await store(archive.spool, ["archive"], dataSet());
    files.fault = (operation, path) =>
      operation === "link"
        ? systemError("EXDEV")
        : operation === "write" && path.startsWith(archive.root)
        ? systemError("ENOSPC")
        : undefined;
    await assert.rejects(archive.deliver([entry]), DestinationError);
    files.fault = (operation) => operation === "link" ? systemError("EXDEV") : undefined;
    assert.equal((await archive.deliver([entry]))[0]!.kind, "delivered");
    const [name, ...more] = archive.files().keys();
    assert.deepEqual(more, []);
    assert.deepEqual(Deno.readFileSync(join(archive.root, name!)), Deno.readFileSync(entry.path));
  }));

Deno.test("nothing of a batch counts as delivered when its folder cannot be synced", () =>
  withArchive(async (archive) => {
    const entry = await store(archive.spool, ["archive"]);
    archive.directory.files.fault = (operation, path) =>
      operation === "syncDirectory" && path.startsWith(archive.root)
        ? systemError("EIO")
        : undefined;
    await assert.rejects(archive.deliver([entry]), DestinationError);
    archive.directory.files.fault = () => undefined;
    const [outcome] = await archive.deliver([entry]);
    assert.ok(outcome!.kind === "delivered");
    assert.match(outcome!.answer, /was there already/);
  }));

for (const what of ["the same instance", "two instances of one UID"]) {
  for (const how of ["linked", "copied"]) {
    Deno.test(`${what} ${how} by two destinations into one folder at once: each is whole, none replaced`, () =>
      withArchive(async (archive) => {
        archive.directory.files.fault = (operation) =>
          operation === "link" && how === "copied" ? systemError("EXDEV") : undefined;
        const images = [noise(900_000), noise(900_000)];
        images[1]![0]! ^= 1;
        const one = await store(archive.spool, ["archive", "other"], images[0]);
        const two = what === "the same instance"
          ? one
          : await store(archive.spool, ["other"], images[1]);
        const other = archive.another("other");
        const outcomes = await Promise.all([archive.deliver([one]), archive.deliver([two], other)]);
        assert.deepEqual(outcomes.flat().map(({ kind }) => kind), ["delivered", "delivered"]);
        const kept = [...archive.files().keys()].map((name) =>
          sha256(Deno.readFileSync(join(archive.root, name)).subarray(-900_000))
        );
        const wanted = what === "the same instance" ? images.slice(0, 1) : images;
        assert.deepEqual(kept.sort(), wanted.map(sha256).sort());
      }));
  }
}

/** The folders synced since the last call, relative to the spool's. */
function takeSynced(archive: Archive): string[] {
  const { calls } = archive.directory.files;
  const synced = calls.filter((call) => call.operation === "syncDirectory")
    .map((call) => plainPath(archive.directory.path, call.path));
  calls.length = 0;
  return synced;
}

const FOLDERS = ["", "archive", "archive/P1", "archive/P1/1.2.3", "archive/P1/1.2.3/1.2.3.1"];

for (const again of ["the same process", "another process"]) {
  Deno.test(`folders that an attempt left unsynced are synced before anything in them counts, by ${again}`, () =>
    withArchive(async (archive) => {
      const entry = await store(archive.spool, ["archive"]);
      archive.directory.files.fault = (operation, path) =>
        operation === "syncDirectory" && path.startsWith(archive.root)
          ? systemError("EIO")
          : undefined;
      await assert.rejects(archive.deliver([entry]), DestinationError);
      archive.directory.files.fault = () => undefined;
      takeSynced(archive);
      const destination = again === "another process" ? archive.another() : archive.destination;
      const [outcome] = await archive.deliver([entry], destination);
      assert.equal(outcome!.kind, "delivered");
      const synced = takeSynced(archive);
      for (const folder of FOLDERS) assert.ok(synced.includes(folder), `${folder} of ${synced}`);
    }));
}

Deno.test("the archive's own folder is not lost with those above it: their names are synced, too", () =>
  withArchive(async (archive) => {
    const deep = new DirectoryDestination(
      { type: "directory", name: "archive", path: join(archive.root, "x", "y"), retryAttempts: 3 },
      archive.spool,
      archive.directory.files,
      { tellPaths: true },
    );
    takeSynced(archive);
    await archive.deliver([await store(archive.spool, ["archive"])], deep);
    const synced = takeSynced(archive);
    for (const folder of ["..", "", "archive", "archive/x"]) {
      assert.ok(synced.includes(folder), `${folder} of ${synced}`);
    }
  }));

Deno.test("a folder known to be on the disk is synced for what is put into it alone, until it is made anew", () =>
  withArchive(async (archive) => {
    await archive.deliver([await store(archive.spool, ["archive"])]);
    takeSynced(archive);
    const deliver = async (sopInstanceUid: string) => {
      const entry = await store(archive.spool, ["archive"], dataSet({ instance: sopInstanceUid }), {
        sopInstanceUid,
      });
      assert.equal((await archive.deliver([entry]))[0]!.kind, "delivered");
      return takeSynced(archive);
    };
    assert.deepEqual(await deliver("1.5"), FOLDERS.slice(-1));
    Deno.removeSync(join(archive.root, "P1"), { recursive: true });
    assert.deepEqual((await deliver("1.6")).sort(), FOLDERS.slice(1));
  }));

Deno.test("the same instance a second time is delivered without another file", () =>
  withArchive(async (archive) => {
    const bytes = dataSet();
    const first = await store(archive.spool, ["archive"], bytes);
    await archive.deliver([first]);
    archive.directory.time += 5_000;
    const again = await store(archive.spool, ["archive"], bytes, { sourceAeTitle: "OTHER" });
    const [outcome] = await archive.deliver([again]);
    assert.ok(outcome!.kind === "delivered" && !outcome!.warning);
    assert.equal(archive.files().size, 1);
  }));

Deno.test("another instance of the same UID is kept beside it with a warning, and again recognised", () =>
  withArchive(async (archive) => {
    const entries: Entry[] = [];
    for (let n = 0; n < 3; n++) {
      const bytes = encodeDataSet([
        [0x00080018, "UI", META.sopInstanceUid],
        [0x00100020, "LO", "P1"],
        [0x0020000d, "UI", "1.2.3"],
        [0x0020000e, "UI", "1.2.3.1"],
        [0x00280010, "US", n],
      ]);
      entries.push(await store(archive.spool, ["archive"], bytes));
    }
    const outcomes = await archive.deliver(entries);
    assert.deepEqual(outcomes.map((each) => each.kind === "delivered" && each.warning), [
      false,
      true,
      true,
    ]);
    const folder = "P1/1.2.3/1.2.3.1";
    assert.deepEqual([...archive.files().keys()].sort(), [
      `${folder}/1.2.3.4.dcm`,
      `${folder}/1.2.3.4~2.dcm`,
      `${folder}/1.2.3.4~3.dcm`,
    ]);
    await archive.deliver(entries.toReversed(), archive.another());
    assert.equal(archive.files().size, 3);
  }));

Deno.test("a stranger's file of the same name is left as it is", () =>
  withArchive(async (archive) => {
    const folder = join(archive.root, "P1", "1.2.3", "1.2.3.1");
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(join(folder, "1.2.3.4.dcm"), "mine");
    const [outcome] = await archive.deliver([await store(archive.spool, ["archive"])]);
    assert.ok(outcome!.kind === "delivered" && outcome!.warning);
    assert.equal(Deno.readTextFileSync(join(folder, "1.2.3.4.dcm")), "mine");
    assert.equal(archive.files().size, 2);
  }));

Deno.test("a damaged instance and one removed by hand are told, the others of the batch go on", () =>
  withArchive(async (archive) => {
    const entries: Entry[] = [];
    for (let n = 0; n < 3; n++) {
      entries.push(
        await store(archive.spool, ["archive"], dataSet(), {
          sopInstanceUid: `1.2.3.${n}`,
        }),
      );
    }
    Deno.truncateSync(entries[0]!.path, 300);
    Deno.removeSync(entries[1]!.path);
    const outcomes = await archive.deliver(entries);
    assert.deepEqual(outcomes.map((outcome) => outcome.kind), ["corrupt", "gone", "delivered"]);
    assert.equal(archive.files().size, 1);
  }));

Deno.test("a data set that says nothing of itself has a place, too", () =>
  withArchive(async (archive) => {
    const nothing = encodeDataSet([[0x00280010, "US", 4]]);
    await archive.deliver([await store(archive.spool, ["archive"], nothing)]);
    assert.deepEqual([...archive.files().keys()], [
      "NO-PATIENT-ID/NO-STUDY-UID/NO-SERIES-UID/1.2.3.4.dcm",
    ]);
  }));

/** An element of any text, as a hostile device writes it. */
function hostile(tag: number, vr: string, text: string): Uint8Array {
  const latin = Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
  const value = new Uint8Array(latin.length + latin.length % 2).fill(0x20);
  value.set(latin);
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  head[4] = vr.charCodeAt(0);
  head[5] = vr.charCodeAt(1);
  view.setUint16(6, value.length, true);
  return Uint8Array.of(...head, ...value);
}

Deno.test("whatever patient, study, series and instance are called, each instance is four levels below the root and nowhere else", () =>
  withArchive(async (archive) => {
    const before = new Set(archive.directory.listing());
    const entries: Entry[] = [];
    for (const attack of ATTACKS) {
      // The head of a stored file has room for UIDs; longer ones are refused before they get here.
      const instance = attack.length > 64 || /[^\0-\xff]/.test(attack) ? "1.2.3.4" : attack;
      for (const where of [0, 1, 2, 3]) {
        const bytes = Uint8Array.of(
          ...hostile(0x00100020, "LO", where === 0 ? attack : "P"),
          ...hostile(0x0020000d, "UI", where === 1 ? attack : "1.1"),
          ...hostile(0x0020000e, "UI", where === 2 ? attack : "1.2"),
          ...hostile(0x00200013, "IS", String(entries.length)),
        );
        entries.push(
          await store(archive.spool, ["archive"], bytes, {
            sopInstanceUid: where === 3 ? instance : "1.9",
          }),
        );
      }
    }
    for (let at = 0; at < entries.length; at += 64) {
      const outcomes = await archive.deliver(entries.slice(at, at + 64));
      assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.kind))], ["delivered"]);
    }
    const files = [...archive.files().keys()];
    assert.equal(files.length, entries.length, "each has a place of its own");
    for (const file of files) {
      const parts = file.split("/");
      assert.equal(parts.length, 4, file);
      for (const part of parts) assert.match(part, /^[A-Za-z0-9_][A-Za-z0-9._ ~-]*$/, file);
      assert.match(file, /\.dcm$/);
    }
    const outside = archive.directory.listing().filter((path) =>
      !before.has(path) && !path.startsWith("archive/") && !path.startsWith("queue/")
    );
    assert.deepEqual(outside, []);
  }));

Deno.test("a damaged instance is not archived, and a damaged copy in the archive is not taken for one", () =>
  withArchive(async (archive) => {
    const damaged = await store(archive.spool, ["archive"], dataSet());
    flipLastByte(damaged.path);
    const [outcome] = await archive.deliver([damaged]);
    assert.equal(outcome!.kind, "corrupt");
    Deno.mkdirSync(archive.root, { recursive: true });
    assert.equal(archive.files().size, 0);

    const first = await store(archive.spool, ["archive"], dataSet());
    await archive.deliver([first]);
    const [name] = archive.files().keys();
    archive.spool.delivered(first, "archive");
    await archive.spool.settled();
    flipLastByte(join(archive.root, name!));
    const again = await store(archive.spool, ["archive"], dataSet());
    const [second] = await archive.deliver([again]);
    assert.ok(second!.kind === "delivered" && second!.warning, JSON.stringify(second));
    assert.equal(archive.files().size, 2, "the good one is kept beside the damaged one");
  }));

Deno.test("what is in the way of one instance is no trouble of the others", () =>
  withArchive(async (archive) => {
    const blocked = await store(archive.spool, ["archive"], dataSet());
    Deno.mkdirSync(archive.root, { recursive: true });
    const free = await store(archive.spool, ["archive"], dataSet({ patient: "OTHER" }));
    await archive.deliver([blocked]);
    const [name] = archive.files().keys();
    const folder = name!.split(/[\\/]/)[0]!;
    Deno.removeSync(join(archive.root, folder), { recursive: true });
    Deno.writeTextFileSync(join(archive.root, folder), "a file where a folder belongs");
    const outcomes = await archive.deliver([blocked, free]);
    assert.deepEqual(outcomes.map((outcome) => outcome.kind), ["refused", "delivered"]);
  }));

/** As a failing disk does. */
function flipLastByte(path: string): void {
  Deno.chmodSync(path, 0o600);
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
}

Deno.test("an instance that another destination takes while it is being archived is archived all the same", () =>
  withArchive(async (archive) => {
    const entry = await store(archive.spool, ["pacs", "archive"]);
    const session = await archive.destination.open();
    const outcomes: Outcome[] = [];
    const delivering = session.deliver([entry], (_, outcome) => outcomes.push(outcome), NEVER);
    // Its file is open by now, under the name that this changes.
    archive.spool.delivered(entry, "pacs");
    await delivering;
    assert.deepEqual(outcomes.map((one) => one.kind), ["delivered"]);
    assert.equal(archive.files().size, 1);
  }));
