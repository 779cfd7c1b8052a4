/*
 * Instances without end at little cost: a few generated ones of different sizes, each time with another SOP Instance UID.
 */

import { generateStudy } from "../../src/cli/demo_study.ts";
import { sha256 } from "../helpers/hashes.ts";
import type { TestInstance } from "../helpers/instances.ts";
import { between, type Random, randomFrom } from "./random.ts";

export interface MintedInstance extends TestInstance {
  readonly hash: string;
  /** Where a directory destination puts it, below its path. */
  readonly archivePath: string;
}

/** Rows and columns, 2 bytes a pixel: within the spool's write buffer of 256 KiB, and the last one beyond it. */
const SIZES = [16, 24, 48, 96, 160, 380] as const;

/** Digits of a UID that count. */
const COUNTER_LENGTH = 12;

interface Template {
  readonly dataSet: Uint8Array;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly uid: string;
  /** Of the counter, in the UID. */
  readonly digitsAt: number;
  /** Of the SOP Instance UID's value, in the data set. */
  readonly uidAt: number;
  readonly folder: string;
}

export class Mint {
  readonly #templates: readonly Template[];
  readonly #random: Random;
  #count = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#templates = SIZES.map((size, index) => templateOf(size, seed * SIZES.length + index));
  }

  /** Any size; the largest seldom. */
  next(): MintedInstance {
    const large = this.#random() < 0.04;
    const index = large ? SIZES.length - 1 : between(this.#random, 0, SIZES.length - 2);
    return this.#mint(this.#templates[index]!);
  }

  /** One of the smallest. */
  small(): MintedInstance {
    return this.#mint(this.#templates[0]!);
  }

  /** One that does not fit into the spool's write buffer. */
  large(): MintedInstance {
    return this.#mint(this.#templates.at(-1)!);
  }

  #mint(template: Template): MintedInstance {
    const digits = String(++this.#count).padStart(COUNTER_LENGTH, "0");
    const { uid, digitsAt, uidAt } = template;
    const sopInstanceUid = uid.slice(0, digitsAt) + digits + uid.slice(digitsAt + COUNTER_LENGTH);
    const dataSet = template.dataSet.slice();
    dataSet.set(new TextEncoder().encode(digits), uidAt + digitsAt);
    return {
      sopClassUid: template.sopClassUid,
      sopInstanceUid,
      transferSyntaxUid: template.transferSyntaxUid,
      dataSet,
      hash: sha256(dataSet),
      archivePath: `${template.folder}/${sopInstanceUid}.dcm`,
    };
  }
}

function templateOf(size: number, seed: number): Template {
  const options = { instances: 1, rows: size, columns: size, seed, patientId: `MINT-${seed}` };
  const [instance] = [...generateStudy(options)];
  const { dataSet, sopInstanceUid: uid, studyUid, seriesUid } = instance!;
  // The file meta information is not part of it, so the first mention is SOP Instance UID (0008,0018).
  const uidAt = new TextDecoder("latin1").decode(dataSet.subarray(0, 4096)).indexOf(uid);
  if (uidAt < 0) throw new Error("no SOP Instance UID in a generated instance");
  return {
    dataSet,
    sopClassUid: instance!.sopClassUid,
    transferSyntaxUid: instance!.transferSyntaxUid,
    uid,
    // Within the number that a UUID is, and not its first digits: no component begins with 0 (PS3.5 §9.1).
    digitsAt: studyUid.length - COUNTER_LENGTH,
    uidAt,
    folder: `${options.patientId}/${studyUid}/${seriesUid}`,
  };
}
