/*
 * Volumes that a spool may be on, and those that it may not.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { SpoolError } from "../../src/spool/version.ts";
import { judgeVolume, LONGEST_ROOT, type VolumeFacts } from "../../src/spool/volume.ts";
import { behaviourOf, probeVolume, volumeWarning } from "../../src/spool/volume_probe.ts";
import { run } from "../helpers/child.ts";
import { Scratch } from "../helpers/scratch.ts";

const LINUX: VolumeFacts = {
  system: "linux",
  path: "/var/spool/forwarder",
  realPath: "/var/spool/forwarder",
  type: 0xef53,
  hardLinks: undefined,
  timeErrorMs: undefined,
};
const WINDOWS: VolumeFacts = {
  system: "windows",
  path: "C:\\ProgramData\\forwarder\\spool",
  realPath: "C:\\ProgramData\\forwarder\\spool",
  type: undefined,
  hardLinks: true,
  timeErrorMs: 0,
};
const at = (path: string, realPath = path) => ({ ...WINDOWS, path, realPath });

for (
  const [what, facts, kind, reason] of [
    ["ext4", LINUX, "sound", ""],
    ["XFS", { ...LINUX, type: 0x58465342 }, "sound", ""],
    ["a type nobody knows", { ...LINUX, type: 0x12345 }, "sound", ""],
    ["a type that is not told", { ...LINUX, type: undefined }, "sound", ""],
    ["vfat", { ...LINUX, type: 0x4d44 }, "unsafe", "FAT"],
    ["exfat", { ...LINUX, type: 0x2011bab0 }, "unsafe", "exFAT"],
    ["NFS", { ...LINUX, type: 0x6969 }, "unsafe", "network folder"],
    ["CIFS", { ...LINUX, type: 0xff534d42 }, "unsafe", "network folder"],
    ["SMB with a sign", { ...LINUX, type: 0xfe534d42 | 0 }, "unsafe", "network folder"],
    ["9P", { ...LINUX, type: 0x01021997 }, "unsafe", "network folder"],
    ["sshfs", { ...LINUX, type: 0x65735546 }, "unsafe", "another program"],
    ["tmpfs", { ...LINUX, type: 0x01021994 }, "doubtful", "memory"],
    ["NTFS", WINDOWS, "sound", ""],
    ["ReFS without hard links", { ...WINDOWS, hardLinks: false }, "sound", ""],
    ["FAT32", { ...WINDOWS, hardLinks: false, timeErrorMs: 997 }, "unsafe", "as FAT does"],
    ["exFAT on Windows", { ...WINDOWS, hardLinks: false, timeErrorMs: 3 }, "unsafe", "as exFAT"],
    ["HFS+", { ...LINUX, system: "darwin", hardLinks: true, timeErrorMs: 3 }, "sound", ""],
    [
      "exFAT on a Mac",
      {
        ...LINUX,
        system: "darwin",
        type: undefined,
        hardLinks: false,
        timeErrorMs: 7,
      },
      "unsafe",
      "exFAT",
    ],
    ["a share", at("\\\\nas\\dicom\\spool"), "unsafe", "network folder"],
    ["a share with slashes", at("//nas/dicom/spool"), "unsafe", "network folder"],
    ["a share by its long name", at("\\\\?\\UNC\\nas\\dicom"), "unsafe", "network folder"],
    ["a mapped drive", at("S:\\spool", "\\\\nas\\dicom\\spool"), "unsafe", "network folder"],
    ["a share not there", { ...at("\\\\nas\\x"), realPath: undefined }, "unsafe", "network folder"],
    ["a drive by its long name", at("\\\\?\\C:\\spool"), "sound", ""],
    ["a path of 150", at(`C:\\${"x".repeat(147)}`), "sound", ""],
    ["a path of 151", at(`C:\\${"x".repeat(148)}`), "unusable", "151 characters, 150"],
    ["a long path elsewhere", { ...LINUX, path: `/${"x".repeat(1000)}` }, "sound", ""],
  ] as readonly [string, VolumeFacts, string, string][]
) {
  Deno.test(`${what} is ${kind} for a spool`, () => {
    const verdict = judgeVolume(facts);
    assert.equal(verdict.kind, kind, JSON.stringify(verdict));
    if (verdict.kind !== "sound") assert.ok(verdict.reason.includes(reason), verdict.reason);
  });
}

Deno.test("an unsafe volume is refused unless a person insists, a long path always, and memory is told of", () => {
  const unsafe = { kind: "unsafe", reason: "it is FAT" } as const;
  assert.throws(
    () => volumeWarning("/spool", unsafe, false),
    (error) =>
      error instanceof SpoolError &&
      /\/spool cannot be used: it is FAT.*allow_unsafe_spool_volume/.test(error.message),
  );
  assert.match(volumeWarning("/spool", unsafe, true)!, /not safe.*it is FAT/);
  const unusable = { kind: "unusable", reason: "it is too long" } as const;
  assert.throws(() => volumeWarning("/spool", unusable, true), SpoolError);
  const doubtful = { kind: "doubtful", reason: "it is in memory" } as const;
  assert.match(volumeWarning("/spool", doubtful, false)!, /not safe: it is in memory/);
  assert.equal(volumeWarning("/spool", { kind: "sound" }, false), undefined);
});

Deno.test("the volume of tests is sound, before the spool's folder is there and after, and nothing is left on it", async () => {
  await using scratch = await Scratch.make();
  const behaviour = behaviourOf(scratch.path);
  assert.deepEqual(behaviour, { hardLinks: true, timeErrorMs: 0 });
  const facts = probeVolume(scratch.at("not", "there", "yet"));
  assert.equal(facts.realPath, Deno.realPathSync(scratch.path));
  assert.notEqual(judgeVolume(facts).kind, "unsafe", JSON.stringify(facts));
  assert.deepEqual([...Deno.readDirSync(scratch.path)], []);
  assert.deepEqual(probeVolume(scratch.at("not")), { ...facts, path: scratch.at("not") });
});

/** Mounts a volume for a test. Gives the reason where that cannot be done here. */
async function onVolume(
  steps: (image: string, folder: string) => readonly (readonly string[])[],
  use: (folder: string) => void,
): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "only root on Linux may mount";
  await using scratch = await Scratch.make();
  const folder = scratch.folder("mount");
  const image = scratch.at("image");
  {
    using file = await Deno.open(image, { write: true, createNew: true });
    await file.truncate(8 * 1024 * 1024);
  }
  for (const [program, ...args] of steps(image, folder)) {
    try {
      const { code, stderr } = await run(program!, args);
      if (code !== 0) return `${program} fails: ${stderr.trim().split("\n").at(-1)}`;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return `${program} is not installed`;
      throw error;
    }
  }
  try {
    use(folder);
  } finally {
    const { code, stderr } = await run("umount", [folder]);
    assert.equal(code, 0, stderr);
  }
  return undefined;
}

const fat = (image: string, folder: string) => [
  ["mkfs.vfat", image],
  ["mount", "-t", "vfat", "-o", "loop", image, folder],
];
const memory = (_image: string, folder: string) => [
  ["mount", "-t", "tmpfs", "-o", "size=1m", "forwarder-test", folder],
];

const noFat = await onVolume(fat, () => {});
Deno.test({
  name: `a real FAT volume is found out, by its type and by what it does${skipped(noFat)}`,
  ignore: noFat !== undefined,
  fn: async () => {
    const problem = await onVolume(fat, (folder) => {
      const facts = probeVolume(join(folder, "spool"));
      assert.equal(judgeVolume(facts).kind, "unsafe");
      const behaviour = behaviourOf(folder);
      assert.equal(behaviour.hardLinks, false);
      const verdict = judgeVolume({ ...facts, ...behaviour, type: undefined });
      assert.equal(verdict.kind, "unsafe", JSON.stringify(behaviour));
    });
    assert.equal(problem, undefined);
  },
});

const noMemory = await onVolume(memory, () => {});
Deno.test({
  name: `a volume in memory is found out${skipped(noMemory)}`,
  ignore: noMemory !== undefined,
  fn: async () => {
    const problem = await onVolume(memory, (folder) => {
      assert.equal(judgeVolume(probeVolume(join(folder, "spool"))).kind, "doubtful");
    });
    assert.equal(problem, undefined);
  },
});

function skipped(reason: string | undefined): string {
  return reason === undefined ? "" : ` (skipped: ${reason})`;
}

Deno.test("the longest path of a spool on Windows leaves the usual names within what Windows' own tools reach", () => {
  const usual = "\\queue\\ff\\1763900000000-000042-deadbeef-deadbeef.archive.pacs.dcm";
  assert.ok(LONGEST_ROOT + usual.length < 260, `${LONGEST_ROOT + usual.length}`);
});
