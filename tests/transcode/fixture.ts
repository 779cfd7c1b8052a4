/*
 * What the transcoding tests share: real files, DCMTK as the independent decoder, and requests as delivery makes them.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { TranscodeRequest } from "../../src/transcode/request.ts";

export const EXPLICIT = "1.2.840.10008.1.2.1";
export const IMPLICIT = "1.2.840.10008.1.2";

/** The test files that Debian's python3-pydicom carries. */
export const PYDICOM = "/usr/lib/python3/dist-packages/pydicom/data";

/** True where the real files are; false is only let through outside CI. */
export function havePydicom(): boolean {
  return demanded(exists(join(PYDICOM, "test_files")), "the files of Debian python3-pydicom");
}

/** True where DCMTK's programs are; false is only let through outside CI. */
export function haveDcmtk(): boolean {
  return demanded(spawnSync("dcmdump", ["--version"]).status === 0, "Debian dcmtk");
}

function demanded(there: boolean, what: string): boolean {
  if (!there && Deno.env.get("CI") === "true") throw new Error(`These tests need ${what}`);
  return there;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Paths of all real files that begin with a file meta which names a transfer syntax, sorted. */
export function realFiles(): string[] {
  const paths = ["test_files", "charset_files"].flatMap((folder) =>
    [...Deno.readDirSync(join(PYDICOM, folder))].map((entry) => join(PYDICOM, folder, entry.name))
  );
  return paths.filter((path) => path.endsWith(".dcm") && transferSyntax(path) !== "").sort();
}

function transferSyntax(path: string): string {
  return requestFor(path, EXPLICIT).from;
}

/** A request for a whole Part 10 file as it lies there. `from` is "" where it has no usable file meta. */
export function requestFor(path: string, to: string): TranscodeRequest {
  const bytes = Deno.readFileSync(path);
  const { from, offset } = readFileMeta(bytes);
  return {
    path,
    dataSetOffset: offset,
    dataSetLength: bytes.length - offset,
    crc32: crc32(bytes.subarray(offset)),
    sopClassUid: "1.2.840.10008.5.1.4.1.1.7",
    sopInstanceUid: "1.2.3",
    from,
    to,
  };
}

/** A request for a data set of our own making, written to `dir`. */
export function requestForDataSet(
  dir: string,
  dataSet: Uint8Array,
  from: string,
  to: string = EXPLICIT,
): TranscodeRequest {
  const path = join(dir, `${crypto.randomUUID()}.dcm`);
  const file = new Uint8Array(200 + dataSet.length);
  file.set(dataSet, 200);
  Deno.writeFileSync(path, file);
  return {
    path,
    dataSetOffset: 200,
    dataSetLength: dataSet.length,
    crc32: crc32(dataSet),
    sopClassUid: "1.2.840.10008.5.1.4.1.1.7",
    sopInstanceUid: "1.2.3",
    from,
    to,
  };
}

/** File meta is Explicit VR Little Endian, group 0002 (PS3.10 §7.1). */
function readFileMeta(bytes: Uint8Array): { from: string; offset: number } {
  const view = new DataView(bytes.buffer);
  let from = "";
  let at = 132;
  if (bytes.length < 140 || view.getUint32(128) !== 0x4449434d) return { from, offset: 0 };
  while (at + 8 <= bytes.length && view.getUint16(at, true) === 2) {
    const long = ["OB", "UN", "OW", "UT"].includes(
      String.fromCharCode(bytes[at + 4]!, bytes[at + 5]!),
    );
    const start = at + (long ? 12 : 8);
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true);
    if (view.getUint16(at + 2, true) === 0x10) {
      from = new TextDecoder().decode(bytes.subarray(start, start + length)).replace(/\0$/, "");
    }
    at = start + length;
  }
  return { from, offset: at };
}

/** Runs a program of DCMTK; false where it exits with an error. */
export function dcmtk(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** Runs a program of DCMTK that has to succeed. */
export function mustDcmtk(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "latin1" });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
}

/** DCMTK's own conversion of a file to Explicit VR Little Endian; false where it has no decoder for it. */
export function decodeWithDcmtk(from: string, to: string): boolean {
  return dcmtk("dcmconv", "+te", from, to) || dcmtk("dcmdjpeg", "+te", from, to) ||
    dcmtk("dcmdjpls", "+te", from, to) || dcmtk("dcmdrle", "+te", from, to);
}

/**
 * All that DCMTK reads in a file or in a bare data set, one line an element, without what an encoding decides: group
 * lengths, defined or undefined lengths, and the bytes of Pixel Data, which `pixelsOf` compares.
 */
export function dump(path: string, ...args: string[]): string[] {
  const { stdout } = spawnSync("dcmdump", ["-q", "+L", "-Un", ...args, path], {
    encoding: "latin1",
    maxBuffer: 1 << 28,
  });
  return stdout.split("\n")
    .filter((line) =>
      !/^\(0002|^#|^$|^ *\(7fe0,0010\)|^ *\(....,0000\) UL|DelimitationItem/.test(line)
    )
    .map((line) => line.replace(/ *#.*/, "").replace(/\((Sequence|Item) with .*/, "($1"));
}

/** The bytes of the top-level Pixel Data, as DCMTK extracts them; empty where there is none. */
export function pixelsOf(path: string, ...args: string[]): Uint8Array {
  const dir = Deno.makeTempDirSync();
  try {
    mustDcmtk("dcmdump", "-q", ...args, "+W", dir, path);
    const [entry] = [...Deno.readDirSync(dir)].sort((a, b) => a.name < b.name ? -1 : 1);
    return entry === undefined ? new Uint8Array() : Deno.readFileSync(join(dir, entry.name));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Runs a test body with a folder of its own. */
export async function inTempDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
