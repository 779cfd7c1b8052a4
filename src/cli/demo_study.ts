/*
 * A CT study made up on the spot, for the demonstration, tests and benchmarks: complete CT Image instances (PS3.3 §A.3)
 * of a phantom, the same for the same seed, byte for byte.
 *
 * No patient's data is in it, and none is needed. Every instance differs from every other by its noise as well as its
 * anatomy, so that a mix-up on the way cannot stay unnoticed.
 */

import { join } from "node:path";
import { type Element, encodeDataSet, encodeHeader } from "../dicom/encode.ts";
import {
  EXPLICIT_VR_LE,
  IMPLEMENTATION_CLASS_UID,
  IMPLEMENTATION_VERSION_NAME,
} from "../dicom/uid.ts";
import { paintSlice } from "./demo_phantom.ts";

export interface StudyOptions {
  /** Number of instances, over all series together. */
  readonly instances: number;
  /** @default {512} */
  readonly rows?: number;
  /** @default {512} */
  readonly columns?: number;
  /** A whole number, 0 or more, that decides UIDs and noise; the same seed gives the same bytes. @default {1} */
  readonly seed?: number;
  /** Patient ID (0010,0020). @default {"DEMO-1"} with the seed for the number */
  readonly patientId?: string;
  /** Patient's Name (0010,0010), in ISO 8859-1. @default {"Phantom^Demo"} */
  readonly patientName?: string;
  /** Number of series the instances are dealt to. @default {1} */
  readonly series?: number;
}

export interface GeneratedInstance {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** Explicit VR Little Endian, always. */
  readonly transferSyntaxUid: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  /** The data set alone, without file meta. */
  readonly dataSet: Uint8Array;
}

/** CT Image Storage, PS3.4 Table B.5-1. */
const CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2";

const PIXEL_DATA = 0x7fe00010;
const FIELD_OF_VIEW_MM = 400;
const BODY_LENGTH_MM = 600;
const NOISE_HU = 12;
const NOISE_LENGTH = 1 << 16;

/** What the elements of an instance are made of. */
interface Slice {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly sopInstanceUid: string;
  readonly frameOfReferenceUid: string;
  readonly seriesNumber: number;
  readonly instanceNumber: number;
  /** Between the centres of neighbouring slices, in mm. */
  readonly spacing: number;
  readonly location: number;
  readonly rows: number;
  readonly columns: number;
  readonly seed: number;
  readonly patientId: string;
  readonly patientName: string;
}

/**
 * Generates the instances of a study one by one, about 2 kB of attributes and 2 bytes a pixel each.
 *
 * @throws {RangeError} where a size is not a positive integer, or rows or columns are over 65535
 */
export function* generateStudy(options: StudyOptions): Generator<GeneratedInstance> {
  const { instances, rows = 512, columns = 512, seed = 1, series = 1 } = options;
  for (
    const [name, value, limit] of [
      ["instances", instances, 0xffffff],
      ["rows", rows, 0xffff],
      ["columns", columns, 0xffff],
      ["series", series, 0xffff],
    ] as const
  ) {
    if (!Number.isInteger(value) || value < 1 || value > limit) {
      throw new RangeError(`Cannot generate a study: ${name} must be 1 to ${limit}, is ${value}`);
    }
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`Cannot generate a study: seed must be a whole number, is ${seed}`);
  }
  const random = xorshift32(seed);
  const studyUid = uuidDerivedUid(random);
  const noise = noiseTable(random);
  const phantom = new Int16Array(rows * columns);
  const perSeries = Math.ceil(instances / series);
  for (let i = 0; i < instances; i++) {
    const seriesNumber = Math.floor(i / perSeries) + 1;
    const instanceNumber = i % perSeries + 1;
    const z = perSeries === 1 ? 0.42 : (instanceNumber - 1) / (perSeries - 1);
    const slice: Slice = {
      studyUid,
      // Arcs below a UUID-derived root are the owner's to give (PS3.5 §B.2, ITU-T X.667).
      seriesUid: `${studyUid}.${seriesNumber}`,
      sopInstanceUid: `${studyUid}.${seriesNumber}.${instanceNumber}`,
      frameOfReferenceUid: `${studyUid}.0`,
      seriesNumber,
      instanceNumber,
      spacing: perSeries === 1 ? 5 : BODY_LENGTH_MM / (perSeries - 1),
      location: -z * BODY_LENGTH_MM,
      rows,
      columns,
      seed,
      patientId: options.patientId ?? `DEMO-${seed}`,
      patientName: options.patientName ?? "Phantom^Demo",
    };
    paintSlice(phantom, rows, columns, z);
    yield {
      sopClassUid: CT_IMAGE_STORAGE,
      sopInstanceUid: slice.sopInstanceUid,
      transferSyntaxUid: EXPLICIT_VR_LE,
      studyUid,
      seriesUid: slice.seriesUid,
      dataSet: encodeSlice(slice, phantom, noise, random),
    };
  }
}

/** The instance as a Part 10 file: preamble, prefix, file meta information and data set (PS3.10 §7.1). */
export function part10File(instance: GeneratedInstance): Uint8Array {
  const meta = encodeDataSet([
    [0x00020001, "OB", Uint8Array.of(0, 1)],
    [0x00020002, "UI", instance.sopClassUid],
    [0x00020003, "UI", instance.sopInstanceUid],
    [0x00020010, "UI", instance.transferSyntaxUid],
    [0x00020012, "UI", IMPLEMENTATION_CLASS_UID],
    [0x00020013, "SH", IMPLEMENTATION_VERSION_NAME],
  ]);
  const length = encodeDataSet([[0x00020000, "UL", meta.length]]);
  const start = 132;
  const file = new Uint8Array(start + length.length + meta.length + instance.dataSet.length);
  file.set([0x44, 0x49, 0x43, 0x4d], 128);
  file.set(length, start);
  file.set(meta, start + length.length);
  file.set(instance.dataSet, start + length.length + meta.length);
  return file;
}

/**
 * Writes a study as Part 10 files named `IM000001.dcm` and so on into a folder, which is made where it is missing.
 *
 * @returns the paths of the files, in the order of the instances
 */
export async function writeStudy(dir: string, options: StudyOptions): Promise<string[]> {
  await Deno.mkdir(dir, { recursive: true });
  const paths: string[] = [];
  for (const instance of generateStudy(options)) {
    const path = join(dir, `IM${String(paths.length + 1).padStart(6, "0")}.dcm`);
    await Deno.writeFile(path, part10File(instance));
    paths.push(path);
  }
  return paths;
}

function encodeSlice(
  slice: Slice,
  phantom: Int16Array,
  noise: Int16Array,
  random: () => number,
): Uint8Array {
  const attributes = encodeDataSet(attributesOf(slice));
  const pixelBytes = 2 * slice.rows * slice.columns;
  const header = encodeHeader(PIXEL_DATA, "OW", pixelBytes);
  const dataSet = new Uint8Array(attributes.length + header.length + pixelBytes);
  dataSet.set(attributes);
  dataSet.set(header, attributes.length);
  // Every element has an even length, so the pixels are aligned; every platform Deno runs on is little endian.
  const pixels = new Uint16Array(dataSet.buffer, attributes.length + header.length);
  for (let row = 0; row < slice.rows; row++) {
    // A stretch of the table from a random place for each row: a draw for each pixel would cost ten times as much.
    let n = random() & (NOISE_LENGTH - 1);
    const end = (row + 1) * slice.columns;
    for (let i = row * slice.columns; i < end; i++) {
      const value = phantom[i]! + 1024 + noise[n]!;
      pixels[i] = value < 0 ? 0 : value;
      n = (n + 1) & (NOISE_LENGTH - 1);
    }
  }
  return dataSet;
}

/** All but the pixels, module by module of PS3.3 Table A.3-1, in the order of the tags. */
function attributesOf(slice: Slice): Element[] {
  const spacing = [
    decimal(FIELD_OF_VIEW_MM / slice.rows),
    decimal(FIELD_OF_VIEW_MM / slice.columns),
  ];
  const corner = -FIELD_OF_VIEW_MM / 2;
  const date = "20260115";
  const time = "093000";
  const contentTime = `${
    String(9 + Math.floor(slice.instanceNumber / 3600) % 14).padStart(2, "0")
  }${String(Math.floor(slice.instanceNumber / 60) % 60).padStart(2, "0")}${
    String(slice.instanceNumber % 60).padStart(2, "0")
  }`;
  return [
    [0x00080005, "CS", "ISO_IR 100"],
    [0x00080008, "CS", ["ORIGINAL", "PRIMARY", "AXIAL"]],
    [0x00080012, "DA", date],
    [0x00080013, "TM", contentTime],
    [0x00080016, "UI", CT_IMAGE_STORAGE],
    [0x00080018, "UI", slice.sopInstanceUid],
    [0x00080020, "DA", date],
    [0x00080021, "DA", date],
    [0x00080022, "DA", date],
    [0x00080023, "DA", date],
    [0x00080030, "TM", time],
    [0x00080031, "TM", time],
    [0x00080032, "TM", contentTime],
    [0x00080033, "TM", contentTime],
    [0x00080050, "SH", `ACC${slice.seed % 1e12}`],
    [0x00080060, "CS", "CT"],
    [0x00080070, "LO", "DICOM Forwarder"],
    [0x00080080, "LO", "Phantom Hospital"],
    [0x00080090, "PN", "Referrer^Demo"],
    [0x00081010, "SH", "DEMO-CT"],
    [0x00081030, "LO", "CT Chest and Abdomen (phantom)"],
    [0x0008103e, "LO", `Axial series ${slice.seriesNumber}`],
    [0x00081090, "LO", "Phantom Generator"],
    [0x00100010, "PN", slice.patientName],
    [0x00100020, "LO", slice.patientId],
    [0x00100030, "DA", "19700101"],
    [0x00100040, "CS", "O"],
    [0x00101010, "AS", "056Y"],
    [0x00101030, "DS", 75],
    [0x00180015, "CS", "CHEST"],
    [0x00180022, "CS", "HELICAL MODE"],
    [0x00180050, "DS", decimal(Math.min(5, slice.spacing))],
    [0x00180060, "DS", 120],
    [0x00180088, "DS", decimal(slice.spacing)],
    [0x00180090, "DS", 500],
    [0x00181000, "LO", "PHANTOM-0001"],
    [0x00181020, "LO", IMPLEMENTATION_VERSION_NAME],
    [0x00181030, "LO", "Chest and Abdomen Phantom"],
    [0x00181100, "DS", FIELD_OF_VIEW_MM],
    [0x00181110, "DS", 950],
    [0x00181111, "DS", 540],
    [0x00181120, "DS", 0],
    [0x00181130, "DS", 150],
    [0x00181140, "CS", "CW"],
    [0x00181150, "IS", 500],
    [0x00181151, "IS", 200],
    [0x00181152, "IS", 100],
    [0x00181160, "SH", "BODY"],
    [0x00181170, "IS", 24],
    [0x00181190, "DS", 0.7],
    [0x00181210, "SH", "STANDARD"],
    [0x00185100, "CS", "HFS"],
    [0x0020000d, "UI", slice.studyUid],
    [0x0020000e, "UI", slice.seriesUid],
    [0x00200010, "SH", `DEMO${slice.seed % 1e12}`],
    [0x00200011, "IS", slice.seriesNumber],
    [0x00200012, "IS", 1],
    [0x00200013, "IS", slice.instanceNumber],
    [0x00200032, "DS", [corner, corner, slice.location].map(decimal)],
    [0x00200037, "DS", [1, 0, 0, 0, 1, 0]],
    [0x00200052, "UI", slice.frameOfReferenceUid],
    [0x00201040, "LO", ""],
    [0x00201041, "DS", decimal(slice.location)],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280010, "US", slice.rows],
    [0x00280011, "US", slice.columns],
    [0x00280030, "DS", spacing],
    [0x00280100, "US", 16],
    [0x00280101, "US", 12],
    [0x00280102, "US", 11],
    [0x00280103, "US", 0],
    [0x00281050, "DS", 40],
    [0x00281051, "DS", 400],
    [0x00281052, "DS", -1024],
    [0x00281053, "DS", 1],
    [0x00281054, "LO", "HU"],
  ];
}

/** A number as DS takes it: 16 characters at most (PS3.5 §6.2), here with up to four decimals. */
function decimal(value: number): string {
  return String(Number(value.toFixed(4)));
}

/** Noise to add to pixels, near enough to normal: the sum of four draws. */
function noiseTable(random: () => number): Int16Array {
  const noise = new Int16Array(NOISE_LENGTH);
  for (let i = 0; i < NOISE_LENGTH; i++) {
    const draw = random();
    const sum = (draw & 0xff) + (draw >>> 8 & 0xff) + (draw >>> 16 & 0xff) + (draw >>> 24);
    // The sum of four bytes has a standard deviation of 148.
    noise[i] = Math.round(((sum - 510) / 148) * NOISE_HU);
  }
  return noise;
}

/** A UID derived from a random UUID: 2.25. and the UUID as an integer (PS3.5 §B.2). */
function uuidDerivedUid(random: () => number): string {
  let value = 0n;
  for (let i = 0; i < 4; i++) value = (value << 32n) | BigInt(random());
  // Version 4 and variant 1 of RFC 9562 §5.4.
  value = (value & ~(0xfn << 76n)) | (0x4n << 76n);
  value = (value & ~(0x3n << 62n)) | (0x2n << 62n);
  return `2.25.${value}`;
}

/** Marsaglia's xorshift generator of 32-bit numbers; its state must not be 0, hence the mixing of the seed. */
function xorshift32(seed: number): () => number {
  const high = Math.floor(seed / 0x100000000);
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b) ^ 0x5bf03635) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
