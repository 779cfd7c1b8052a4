/*
 * What DICOM sends as a tree of things that have a length: PDUs, items, PDVs, elements. And the eleven ways to spoil it.
 *
 * Owns taking well-formed bytes apart, putting a tree together again, and mutation. A mutation changes one thing and keeps
 * the lengths around it true, so that a decoder gets as far as the lie; several in a row make more of a mess.
 */

import { concat } from "../../src/dicom/bytes.ts";
import type { Random } from "./random.ts";

/** Something with a length: what stands before the length field, the field, the value. */
export interface Node {
  head: Uint8Array;
  /** Bytes of the length field; 0 where there is none. */
  readonly width: 0 | 2 | 4;
  readonly littleEndian: boolean;
  /** The value's bytes before the first child. */
  body: Uint8Array;
  children: Node[];
  /** Written instead of the true length. */
  claim?: number;
}

const NOTHING = new Uint8Array(0);

/** A node that is nothing but others in a row. */
export function sequence(children: Node[]): Node {
  return { head: NOTHING, width: 0, littleEndian: false, body: NOTHING, children };
}

export function lengthOf(node: Node): number {
  let length = node.head.length + node.width + node.body.length;
  for (const child of node.children) length += lengthOf(child);
  return length;
}

/** The tree's bytes. */
export function write(node: Node): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(lengthOf(node));
  put(node, out, 0);
  return out;
}

function put(node: Node, out: Uint8Array, start: number): number {
  out.set(node.head, start);
  const value = start + node.head.length + node.width;
  out.set(node.body, value);
  let at = value + node.body.length;
  for (const child of node.children) at = put(child, out, at);
  const length = node.claim ?? at - value;
  for (let n = 0; n < node.width; n++) {
    const shift = 8 * (node.littleEndian ? n : node.width - 1 - n);
    out[value - node.width + n] = Math.floor(length / 2 ** shift);
  }
  return at;
}

/** A copy whose nodes can be changed; bytes are shared until one is. */
function copy(node: Node): Node {
  return { ...node, children: node.children.map(copy) };
}

export const MUTATORS = [
  "length one more",
  "length one less",
  "length zero",
  "length huge",
  "type",
  "duplicate",
  "drop",
  "move",
  "order",
  "truncate",
  "flip",
] as const;

export type Mutator = typeof MUTATORS[number];

interface Place {
  readonly node: Node;
  readonly parent: Node;
}

function placesIn(root: Node, found: Place[] = []): Place[] {
  for (const node of root.children) {
    found.push({ node, parent: root });
    placesIn(node, found);
  }
  return found;
}

/** The bytes of a tree after so many mutations; the tree itself stays as it is. */
export function mutate(
  tree: Node,
  random: Random,
  times: number,
  mutators: readonly Mutator[] = MUTATORS,
): Uint8Array<ArrayBuffer> {
  const root = copy(tree);
  const onBytes: Mutator[] = [];
  for (let n = 0; n < times; n++) {
    const mutator = random.pick(mutators);
    if (mutator === "truncate" || mutator === "flip") onBytes.push(mutator);
    else mutateTree(root, mutator, random);
  }
  let bytes = write(root);
  for (const mutator of onBytes) {
    if (bytes.length === 0) break;
    const at = random.below(bytes.length);
    if (mutator === "truncate") bytes = bytes.slice(0, at);
    else bytes[at]! ^= 1 << random.below(8);
  }
  return bytes;
}

function mutateTree(root: Node, mutator: Mutator, random: Random): void {
  const places = placesIn(root);
  if (places.length === 0) return;
  const { node, parent } = random.pick(places);
  const at = parent.children.indexOf(node);
  const length = lengthOf(node) - node.head.length - node.width;
  switch (mutator) {
    case "length one more":
      node.claim = length + 1;
      return;
    case "length one less":
      node.claim = Math.max(0, length - 1);
      return;
    case "length zero":
      node.claim = 0;
      return;
    case "length huge":
      node.claim = random.pick([0xffffffff, 0xfffffffe, 0x7fffffff, 0xffff, 0x10000, 131_073]);
      return;
    case "type": {
      // Of a PDV the context id or the control header, which stand in the body.
      const where = node.head.length > 0 ? "head" : "body";
      if (node[where].length === 0) return;
      node[where] = node[where].slice();
      const byte = random.below(Math.min(node[where].length, 6));
      node[where][byte] = random.oneIn(2) ? random.below(256) : random.below(9);
      return;
    }
    case "duplicate":
      parent.children.splice(at, 0, copy(node));
      return;
    case "drop":
      parent.children.splice(at, 1);
      return;
    case "move": {
      parent.children.splice(at, 1);
      const target = random.pick([root, ...placesIn(root).map((place) => place.node)]);
      target.children.splice(random.below(target.children.length + 1), 0, node);
      return;
    }
    case "order":
      for (let n = parent.children.length - 1; n > 0; n--) {
        const other = random.below(n + 1);
        [parent.children[n], parent.children[other]] = [
          parent.children[other]!,
          parent.children[n]!,
        ];
      }
  }
}

/** Takes a row of well-formed PDUs apart (PS3.8 §9.3), command sets and small explicit data sets included. */
export function parsePdus(bytes: Uint8Array): Node {
  const pdus: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const type = bytes[at]!;
    const end = at + 6 + u32(bytes, at + 2);
    if (end > bytes.length) throw new Error(`PDU at ${at} is cut short`);
    const body = bytes.subarray(at + 6, end);
    const fixed = type === 1 || type === 2 ? 68 : type === 4 ? 0 : body.length;
    const children = type === 1 || type === 2
      ? parseItems(body.subarray(fixed))
      : type === 4
      ? parsePdvs(body)
      : [];
    pdus.push({
      head: bytes.subarray(at, at + 2),
      width: 4,
      littleEndian: false,
      body: body.subarray(0, fixed),
      children,
    });
    at = end;
  }
  return sequence(pdus);
}

function parseItems(bytes: Uint8Array): Node[] {
  const items: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const type = bytes[at]!;
    const end = at + 4 + (bytes[at + 2]! << 8 | bytes[at + 3]!);
    const value = bytes.subarray(at + 4, end);
    const context = type === 0x20 || type === 0x21;
    const fixed = context ? 4 : type === 0x50 ? 0 : value.length;
    items.push({
      head: bytes.subarray(at, at + 2),
      width: 2,
      littleEndian: false,
      body: value.subarray(0, fixed),
      children: context || type === 0x50 ? parseItems(value.subarray(fixed)) : [],
    });
    at = end;
  }
  return items;
}

function parsePdvs(bytes: Uint8Array): Node[] {
  const pdvs: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + u32(bytes, at);
    const value = bytes.subarray(at + 4, end);
    const fragment = value.subarray(2);
    const command = (value[1]! & 1) === 1;
    pdvs.push({
      head: NOTHING,
      width: 4,
      littleEndian: false,
      body: value.subarray(0, 2),
      children: command ? parseCommand(fragment) : parseExplicit(fragment),
    });
    at = end;
  }
  return pdvs;
}

/** Elements of a command set, implicit VR little endian (PS3.7 §6.3.1). */
export function parseCommand(bytes: Uint8Array): Node[] {
  const elements: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = littleU32(bytes, at + 4);
    elements.push({
      head: bytes.subarray(at, at + 4),
      width: 4,
      littleEndian: true,
      body: bytes.subarray(at + 8, at + 8 + length),
      children: [],
    });
    at += 8 + length;
  }
  return elements;
}

const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"]);

/** Elements of a data set in explicit VR little endian; where it is anything else, one node of it all. */
export function parseExplicit(bytes: Uint8Array): Node[] {
  const elements: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const vr = String.fromCharCode(bytes[at + 4] ?? 0, bytes[at + 5] ?? 0);
    const long = LONG.has(vr);
    const head = long ? 8 : 6;
    const length = long ? littleU32(bytes, at + 8) : (bytes[at + 6]! | bytes[at + 7]! << 8);
    const start = at + head + (long ? 4 : 2);
    if (!/^[A-Z]{2}$/.test(vr) || start + length > bytes.length) {
      return [{ ...sequence([]), body: bytes }];
    }
    elements.push({
      head: bytes.subarray(at, at + head),
      width: long ? 4 : 2,
      littleEndian: true,
      body: bytes.subarray(start, start + length),
      children: [],
    });
    at = start + length;
  }
  return elements;
}

/** All of a list of trees' bytes. */
export function writeAll(nodes: readonly Node[]): Uint8Array<ArrayBuffer> {
  return concat(nodes.map(write));
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

function littleU32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return 0xffffffff;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
