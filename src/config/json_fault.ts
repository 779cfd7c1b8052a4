/*
 * Finds the place where a text stops being JSON (RFC 8259), for people who edit a configuration by hand.
 *
 * JSON.parse tells a place for some mistakes only and keeps quiet about a key written twice. This reads the text once
 * beforehand, builds nothing, and answers in words for a technician. It never decides what the settings mean.
 */

/** One mistake: line and column count from 1, columns in UTF-16 units; `wanted` reads on after "wanted". */
export interface JsonFault {
  readonly line: number;
  readonly column: number;
  readonly wanted: string;
}

const MAX_DEPTH = 50;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/** Thrown and caught inside this module only. */
class Mistake extends Error {
  readonly offset: number;

  constructor(offset: number, wanted: string) {
    super(wanted);
    this.offset = offset;
  }
}

/** The first mistake in `text`, or null where it is JSON without repeated keys. */
export function findJsonFault(text: string): JsonFault | null {
  try {
    const end = space(text, value(text, space(text, 0), 0));
    if (end < text.length) throw new Mistake(end, "nothing more behind the last brace");
    return null;
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    const before = text.slice(0, error.offset).split(/\r\n|\r|\n/);
    return { line: before.length, column: before.at(-1)!.length + 1, wanted: error.message };
  }
}

function space(text: string, offset: number): number {
  while (" \t\r\n".includes(text.charAt(offset) || "x")) offset++;
  return offset;
}

function value(text: string, offset: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new Mistake(offset, `at most ${MAX_DEPTH} brackets in one another`);
  const first = text.charAt(offset);
  if (first === "{") return members(text, offset + 1, depth);
  if (first === "[") return items(text, offset + 1, depth);
  if (first === '"') return string(text, offset);
  for (const pattern of [NUMBER, WORD]) {
    pattern.lastIndex = offset;
    const end = offset + (pattern.exec(text)?.[0].length ?? 0);
    if (end > offset && !/[\w.+-]/.test(text.charAt(end))) return end;
  }
  if (first === "") throw new Mistake(offset, "more: the text ends too early");
  if (text.startsWith("//", offset) || text.startsWith("/*", offset)) {
    throw new Mistake(offset, "a value: comments are not allowed");
  }
  throw new Mistake(offset, 'a value: "text" in double quotes, a number, true, false, [ or {');
}

function members(text: string, offset: number, depth: number): number {
  const keys = new Set<string>();
  offset = space(text, offset);
  if (text.charAt(offset) === "}") return offset + 1;
  for (;;) {
    if (text.charAt(offset) !== '"') {
      throw new Mistake(offset, endOr(text, offset, "a key in double quotes"));
    }
    const end = string(text, offset);
    const key = JSON.parse(text.slice(offset, end)) as string;
    if (keys.has(key)) throw new Mistake(offset, `every key once, but "${key}" is there twice`);
    keys.add(key);
    offset = space(text, end);
    if (text.charAt(offset) !== ":") throw new Mistake(offset, `a colon after the key "${key}"`);
    offset = space(text, value(text, space(text, offset + 1), depth + 1));
    if (text.charAt(offset) === "}") return offset + 1;
    if (text.charAt(offset) !== ",") throw new Mistake(offset, endOr(text, offset, "a comma or }"));
    offset = space(text, offset + 1);
    if (text.charAt(offset) === "}") throw new Mistake(offset, "no comma behind the last setting");
  }
}

function items(text: string, offset: number, depth: number): number {
  offset = space(text, offset);
  if (text.charAt(offset) === "]") return offset + 1;
  for (;;) {
    offset = space(text, value(text, offset, depth + 1));
    if (text.charAt(offset) === "]") return offset + 1;
    if (text.charAt(offset) !== ",") throw new Mistake(offset, endOr(text, offset, "a comma or ]"));
    offset = space(text, offset + 1);
    if (text.charAt(offset) === "]") throw new Mistake(offset, "no comma behind the last entry");
  }
}

function string(text: string, start: number): number {
  for (let offset = start + 1;; offset++) {
    const char = text.charAt(offset);
    if (char === '"') return offset + 1;
    if (char === "" || char === "\n" || char === "\r") {
      throw new Mistake(start, "a closing double quote on the same line");
    }
    if (char < " ") throw new Mistake(offset, "no tab or control character inside a text");
    if (char !== "\\") continue;
    if (!/^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.test(text.slice(offset, offset + 6))) {
      throw new Mistake(offset, 'every backslash written twice, as in "D:\\\\dicom", or / instead');
    }
    offset++;
  }
}

function endOr(text: string, offset: number, wanted: string): string {
  return offset < text.length ? wanted : `${wanted}: the text ends too early`;
}
