/*
 * Fuzzing of the reader that finds the identifying elements in a data set.
 *
 * What must hold of any data set under any transfer syntax: it is read, cut short or unreadable, never an exception; the
 * result is the same however the bytes arrive; none takes long, and what stands before the spoilt place is found.
 */

import { deflateRawSync } from "node:zlib";
import { concat } from "../../src/dicom/bytes.ts";
import { HeaderReader } from "../../src/dicom/header.ts";
import {
  DEFLATED_EXPLICIT_VR_LE,
  EXPLICIT_VR_BE,
  EXPLICIT_VR_LE,
  IMPLICIT_VR_LE,
} from "../../src/dicom/uid.ts";
import { mutate, type Mutator, type Node, sequence, write } from "./grammar.ts";
import { Random, Violation } from "./random.ts";

export interface DataSetFigures {
  dataSets: number;
  complete: number;
  truncated: number;
  unreadable: number;
  /** The longest that reading one data set once has taken, in ms; a garbage collection counts in. */
  slowestMs: number;
}

/** How elements are written. */
interface Encoding {
  readonly explicit: boolean;
  readonly little: boolean;
}

const ENCODINGS: readonly [string, Encoding][] = [
  [IMPLICIT_VR_LE, { explicit: false, little: true }],
  [EXPLICIT_VR_LE, { explicit: true, little: true }],
  [EXPLICIT_VR_BE, { explicit: true, little: false }],
  ["1.2.840.10008.1.2.4.70", { explicit: true, little: true }],
  ["1.3.6.1.4.1.99999.1", { explicit: true, little: true }],
];

const IDENTIFYING: readonly [number, string][] = [
  [0x00080005, "CS"],
  [0x00080016, "UI"],
  [0x00080018, "UI"],
  [0x00080050, "SH"],
  [0x00080060, "CS"],
  [0x00100010, "PN"],
  [0x00100020, "LO"],
  [0x0020000d, "UI"],
  [0x0020000e, "UI"],
];

const OTHER_VRS = ["US", "OB", "OW", "UN", "UT", "LO", "FD", "AT"] as const;

/** Random data sets are spoilt anywhere; those of extremes are too large for that. */
const EXTREME_EVERY = 2000;

/** Time for one pass over one data set, in ms; a busy machine stretches it, so that only far more is a violation. */
const SLOW_MS = 50;
const FAR_TOO_SLOW_MS = 2000;

/** @throws {Violation} */
export function fuzzDataSets(
  count: number,
  seed: number,
  progress: (figures: DataSetFigures) => void = () => {},
): DataSetFigures {
  const random = new Random(seed);
  const figures: DataSetFigures = {
    dataSets: 0,
    complete: 0,
    truncated: 0,
    unreadable: 0,
    slowestMs: 0,
  };
  while (figures.dataSets < count) {
    const made = figures.dataSets % EXTREME_EVERY === 0 ? extreme(random) : spoilt(random);
    check(made, random, figures);
    figures.dataSets++;
    if (figures.dataSets % 50_000 === 0) progress(figures);
  }
  return figures;
}

function check(
  { dataSet, syntax, whole: nothingWrong }: Made,
  random: Random,
  figures: DataSetFigures,
): void {
  const began = performance.now();
  let whole = read([dataSet], syntax);
  let ms = performance.now() - began;
  if (ms > SLOW_MS) {
    // Once may be the machine's fault.
    const again = performance.now();
    whole = read([dataSet], syntax);
    ms = Math.min(ms, performance.now() - again);
  }
  figures.slowestMs = Math.max(figures.slowestMs, ms);
  if (ms > FAR_TOO_SLOW_MS) throw new Violation(`${syntax}: read in ${ms} ms`, dataSet);
  const pieces = read(random.cut(dataSet), syntax);
  if (whole !== pieces) {
    throw new Violation(`${syntax}: ${pieces} in pieces, ${whole} whole`, dataSet);
  }
  if (nothingWrong && whole.startsWith("truncated")) {
    throw new Violation(`${syntax}: ${whole}, and it is whole`, dataSet);
  }
  if (whole.startsWith("complete")) figures.complete++;
  else if (whole.startsWith("truncated")) figures.truncated++;
  else if (whole.startsWith("unreadable")) figures.unreadable++;
  else throw new Violation(`${syntax}: ${whole} after the end`, dataSet);
}

/** State, problem and what was found, in a line. */
function read(chunks: Iterable<Uint8Array>, syntax: string): string {
  const given: Uint8Array[] = [];
  const reader = new HeaderReader(syntax);
  try {
    for (const chunk of chunks) {
      given.push(chunk);
      reader.push(chunk);
    }
    reader.end();
  } catch (error) {
    throw new Violation(`${syntax}: reader threw ${error}`, concat(given), error);
  }
  return `${reader.state} ${reader.problem} ${JSON.stringify(reader.identification)}`;
}

interface Made {
  readonly syntax: string;
  readonly dataSet: Uint8Array;
  /** Nothing is wrong with it: it may be too odd to be found something in, but it is not cut short. */
  readonly whole: boolean;
}

/** A data set of a few elements, with up to six things wrong with it. */
function spoilt(random: Random): Made {
  const [syntax, encoding] = random.pick(ENCODINGS);
  const elements = random.oneIn(30)
    ? [...metaGroup(random), ...dataSetOf(random, encoding)]
    : dataSetOf(random, encoding);
  const times = random.pick([0, 1, 1, 1, 2, 3, 6]);
  const noise = random.oneIn(40);
  const dataSet = noise
    ? random.bytes(random.below(400))
    : mutate(sequence(elements), random, times);
  const whole = times === 0 && !noise;
  if (!random.oneIn(12)) {
    if (!random.oneIn(15)) return { syntax, dataSet, whole };
    return { syntax: random.pick(ENCODINGS)[0], dataSet, whole: false };
  }
  const flaws = random.below(2);
  const deflated = mutate(
    sequence([{ ...sequence([]), body: deflateRawSync(dataSet) }]),
    random,
    flaws,
    ["truncate", "flip"] satisfies Mutator[],
  );
  const fits = syntax !== IMPLICIT_VR_LE && encoding.little;
  return {
    syntax: DEFLATED_EXPLICIT_VR_LE,
    dataSet: deflated,
    whole: whole && flaws === 0 && fits,
  };
}

function dataSetOf(random: Random, encoding: Encoding): Node[] {
  const elements: Node[] = [];
  for (const [tag, vr] of IDENTIFYING) {
    if (random.oneIn(3)) elements.push(other(random, encoding, tag - 1 - random.below(3)));
    if (random.oneIn(6)) elements.push(nested(random, encoding, tag - 1, 1 + random.below(4)));
    if (random.oneIn(15)) continue;
    elements.push(element(encoding, tag, vr, text(random)));
  }
  elements.push(other(random, encoding, 0x7fe00010));
  return elements;
}

/** Text of any bytes, as a wrong character set gives it; too long for its VR now and then. */
function text(random: Random): Uint8Array {
  return random.bytes(2 * random.below(random.oneIn(50) ? 800 : 20));
}

function other(random: Random, encoding: Encoding, tag: number): Node {
  return element(encoding, tag, random.pick(OTHER_VRS), random.bytes(2 * random.below(30)));
}

/** A sequence, its lengths defined or not. */
function nested(random: Random, encoding: Encoding, tag: number, depth: number): Node {
  const vr = random.pick(["SQ", "SQ", "UN", "OB"]);
  // PS3.5 §6.2.2 Note 2
  const content = encoding.explicit && vr === "UN" ? { explicit: false, little: true } : encoding;
  const items = Array.from({ length: random.below(3) }, () => {
    const inner = depth > 1
      ? nested(random, content, 0x00081140, depth - 1)
      : element(content, 0x00080018, "UI", text(random));
    return delimited(random, content, item(content, 0xfffee000, [inner]), 0xfffee00d);
  });
  return delimited(
    random,
    content,
    element(encoding, tag, vr, new Uint8Array(0), items),
    0xfffee0dd,
  );
}

/** Gives a node an undefined length and its delimiter, or leaves it as it is. */
function delimited(random: Random, encoding: Encoding, node: Node, delimiter: number): Node {
  if (random.oneIn(2) || node.width !== 4) return node;
  node.claim = 0xffffffff;
  node.children.push(item(encoding, delimiter, []));
  return node;
}

function item(encoding: Encoding, tag: number, children: Node[]): Node {
  const head = tagBytes(encoding, tag);
  return { head, width: 4, littleEndian: encoding.little, body: new Uint8Array(0), children };
}

function element(
  encoding: Encoding,
  tag: number,
  vr: string,
  body: Uint8Array,
  children: Node[] = [],
): Node {
  const long = ["OB", "OW", "UN", "UT", "SQ"].includes(vr);
  const letters = encoding.explicit ? [vr.charCodeAt(0), vr.charCodeAt(1)] : [];
  const reserved = encoding.explicit && long ? [0, 0] : [];
  return {
    head: concat([tagBytes(encoding, tag), Uint8Array.from([...letters, ...reserved])]),
    width: encoding.explicit && !long ? 2 : 4,
    littleEndian: encoding.little,
    body,
    children,
  };
}

/** File meta information where none belongs. */
function metaGroup(random: Random): Node[] {
  const little = { explicit: true, little: true };
  return [
    element(little, 0x00020000, "UL", random.bytes(4)),
    element(little, 0x00020010, "UI", text(random)),
  ];
}

function tagBytes({ little }: Encoding, tag: number): Uint8Array {
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag >>> 16, little);
  view.setUint16(2, tag & 0xffff, little);
  return bytes;
}

/** The shapes that break readers by their size: depth, claims of 4 GiB, bombs. */
function extreme(random: Random): Made {
  const [syntax, encoding] = random.pick(ENCODINGS);
  const study = element(encoding, 0x0020000d, "UI", Uint8Array.of(0x31, 0x2e, 0x32, 0));
  const sequenceHead = element(encoding, 0x00081140, "SQ", new Uint8Array(0));
  sequenceHead.claim = 0xffffffff;
  const itemHead = item(encoding, 0xfffee000, []);
  itemHead.claim = 0xffffffff;
  switch (random.below(4)) {
    case 0: {
      const begin = write(sequence([sequenceHead, itemHead]));
      const end = write(sequence([
        item(encoding, 0xfffee00d, []),
        item(encoding, 0xfffee0dd, []),
      ]));
      const depth = 10_000;
      const deep = new Uint8Array((begin.length + end.length) * depth);
      for (let n = 0; n < depth; n++) {
        deep.set(begin, n * begin.length);
        deep.set(end, depth * begin.length + n * end.length);
      }
      const cut = random.oneIn(2) ? deep.length : random.below(deep.length);
      return {
        syntax,
        dataSet: concat([deep.subarray(0, cut), write(study)]),
        whole: cut === deep.length,
      };
    }
    case 1: {
      const claims = element(
        encoding,
        random.pick([0x00080001, 0x00090010]),
        "UN",
        random.bytes(9),
      );
      claims.claim = random.pick([0xfffffffe, 0x80000000, 0x7fffffff]);
      return { syntax, dataSet: write(sequence([claims, study])), whole: false };
    }
    case 2: {
      // 64 MiB of one byte are 64 KiB.
      const zeros = new Uint8Array(random.pick([0x40000, 0x50000, 0x100000, 0x4000000]));
      const little = { explicit: true, little: true };
      const large = element(little, 0x00090010, "UN", zeros);
      const dataSet = deflateRawSync(write(sequence([large])));
      return { syntax: DEFLATED_EXPLICIT_VR_LE, dataSet, whole: true };
    }
    default: {
      const many = Array.from(
        { length: 20_000 },
        () => other(random, encoding, 0x00090000 + random.below(0x1000)),
      );
      return { syntax, dataSet: write(sequence([...many, study])), whole: true };
    }
  }
}
