/*
 * Changes values in a JSON text and leaves every other byte of it as a person wrote it.
 *
 * Owns how a changed file looks: kept members stay in their order with their own spacing, new ones come last in the
 * style of the text. Pure. The text must have passed findJsonFault: what is not JSON is never given to this.
 */

/** A value in the text; `start` to `end` is what it covers. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly value: unknown;
  readonly members?: readonly Member[];
  readonly items?: readonly Place[];
}

interface Member {
  readonly key: string;
  /** Where the key's quote stands. */
  readonly start: number;
  readonly place: Place;
}

interface Style {
  readonly text: string;
  readonly newline: string;
  readonly unit: string;
}

/**
 * The text with its content changed.
 *
 * @param text JSON without a byte order mark
 * @param content what it has to hold afterwards
 */
export function editJson(text: string, content: unknown): string {
  const root = placeAt(text, spaceEnd(text, 0));
  const style = {
    text,
    newline: text.includes("\r\n") ? "\r\n" : "\n",
    unit: /[{[]\r?\n([ \t]+)/.exec(text)?.[1] ?? "  ",
  };
  return text.slice(0, root.start) + rewritten(style, root, content) + text.slice(root.end);
}

/** True where two JSON values are the same; the order of keys does not matter. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) || Array.isArray(other)) {
    return Array.isArray(one) && Array.isArray(other) && one.length === other.length &&
      one.every((item, index) => sameJson(item, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && sameJson(one[key], other[key]));
}

function rewritten(style: Style, place: Place, value: unknown): string {
  const { text } = style;
  if (sameJson(place.value, value)) return text.slice(place.start, place.end);
  if (place.members !== undefined && isObject(value)) return editedObject(style, place, value);
  if (place.items !== undefined && Array.isArray(value)) return editedList(style, place, value);
  return fresh(style, value, indentAt(text, place.start));
}

function editedObject(style: Style, place: Place, value: Record<string, unknown>): string {
  const { text } = style;
  const parts: Part[] = [];
  let before = place.start + 1;
  for (const { key, start, place: old } of place.members ?? []) {
    if (Object.hasOwn(value, key)) {
      const name = text.slice(start, old.start);
      parts.push({
        lead: space(text, before, start),
        body: name + rewritten(style, old, value[key]),
        trail: trailing(text, old.end),
      });
    }
    before = old.end;
  }
  const known = new Set(place.members?.map(({ key }) => key));
  const added = Object.keys(value).filter((key) => !known.has(key)).map((key) => (indent: string) =>
    `${JSON.stringify(key)}: ${fresh(style, value[key], indent)}`
  );
  return assembled(style, place, parts, added);
}

function editedList(style: Style, place: Place, value: readonly unknown[]): string {
  const { text } = style;
  const items = place.items ?? [];
  const parts: Part[] = [];
  const added: ((indent: string) => string)[] = [];
  let from = 0;
  for (const [index, wanted] of value.entries()) {
    const found = items.length === value.length ? index : partner(items, from, wanted);
    const old = items[found];
    if (old === undefined) {
      added.push((indent) => fresh(style, wanted, indent));
      continue;
    }
    const before = found === 0 ? place.start + 1 : items[found - 1]!.end;
    parts.push({
      lead: space(text, before, old.start),
      body: rewritten(style, old, wanted),
      trail: trailing(text, old.end),
    });
    from = found + 1;
    // What follows something new can keep its place no longer: it is written anew behind it.
    if (added.length > 0) {
      const last = parts.pop()!;
      added.push(() => last.body);
    }
  }
  return assembled(style, place, parts, added);
}

/** The item that `wanted` was before: the same, the one of its name, or the one most like it. -1 where it is new. */
function partner(items: readonly Place[], from: number, wanted: unknown): number {
  const same = items.findIndex((item, index) => index >= from && sameJson(item.value, wanted));
  if (same >= 0 || !isObject(wanted)) return same;
  let [best, most] = [-1, 0];
  for (const [index, { value }] of items.entries()) {
    if (index < from || !isObject(value)) continue;
    const keys = Object.keys(wanted).filter((key) => sameJson(value[key], wanted[key]));
    const likeness = keys.includes("name") ? Infinity : keys.length / Object.keys(wanted).length;
    if (likeness > most && likeness >= 0.5) [best, most] = [index, likeness];
  }
  return best;
}

interface Part {
  /** White space in front of it. */
  readonly lead: string;
  readonly body: string;
  /** White space behind it where it is followed by another. */
  readonly trail: string;
}

function assembled(
  style: Style,
  place: Place,
  parts: readonly Part[],
  added: readonly ((indent: string) => string)[],
): string {
  const { text, newline, unit } = style;
  const [open, close] = [text.charAt(place.start), text.charAt(place.end - 1)];
  if (parts.length + added.length === 0) return open + close;
  const first = place.members?.[0] ?? place.items?.[0];
  const last = place.members?.at(-1)?.place ?? place.items?.at(-1);
  const onOneLine = last !== undefined && !text.slice(place.start, place.end).includes("\n");
  const base = indentAt(text, place.start);
  const lead = onOneLine ? " " : newline + base + unit;
  const all = [...parts, ...added.map((body) => ({ lead, body: body(base + unit), trail: "" }))];
  const joined = all.map((part, index) =>
    (index === 0 && first !== undefined ? text.slice(place.start + 1, first.start) : part.lead) +
    part.body + (index === all.length - 1 ? "" : part.trail)
  ).join(",");
  const tail = last === undefined ? newline + base : text.slice(last.end, place.end - 1);
  return open + joined + tail + close;
}

/** A value of which the text has nothing yet. */
function fresh(style: Style, value: unknown, indent: string): string {
  const lines = JSON.stringify(value, null, style.unit).split("\n");
  return lines.join(style.newline + indent);
}

/** White space between a comma (or an opening bracket) and what follows it. */
function space(text: string, from: number, to: number): string {
  const between = text.slice(from, to);
  return between.slice(between.indexOf(",") + 1);
}

/** White space between a value and its comma. */
function trailing(text: string, offset: number): string {
  const end = spaceEnd(text, offset);
  return text.charAt(end) === "," ? text.slice(offset, end) : "";
}

function indentAt(text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
  return /^[ \t]*/.exec(line)![0];
}

function placeAt(text: string, start: number): Place {
  const first = text.charAt(start);
  if (first === "{") return objectAt(text, start);
  if (first === "[") return listAt(text, start);
  const end = first === '"' ? stringEnd(text, start) : start + /[^\s,\]}]+/.exec(
    text.slice(start),
  )![0].length;
  return { start, end, value: JSON.parse(text.slice(start, end)) };
}

function objectAt(text: string, start: number): Place {
  const members: Member[] = [];
  let offset = spaceEnd(text, start + 1);
  while (text.charAt(offset) !== "}") {
    const keyEnd = stringEnd(text, offset);
    const key = JSON.parse(text.slice(offset, keyEnd)) as string;
    const place = placeAt(text, spaceEnd(text, spaceEnd(text, keyEnd) + 1));
    members.push({ key, start: offset, place });
    offset = spaceEnd(text, place.end);
    if (text.charAt(offset) === ",") offset = spaceEnd(text, offset + 1);
  }
  const value = Object.fromEntries(members.map(({ key, place }) => [key, place.value]));
  return { start, end: offset + 1, value, members };
}

function listAt(text: string, start: number): Place {
  const items: Place[] = [];
  let offset = spaceEnd(text, start + 1);
  while (text.charAt(offset) !== "]") {
    const item = placeAt(text, offset);
    items.push(item);
    offset = spaceEnd(text, item.end);
    if (text.charAt(offset) === ",") offset = spaceEnd(text, offset + 1);
  }
  return { start, end: offset + 1, value: items.map(({ value }) => value), items };
}

function stringEnd(text: string, start: number): number {
  let offset = start + 1;
  while (text.charAt(offset) !== '"') offset += text.charAt(offset) === "\\" ? 2 : 1;
  return offset + 1;
}

function spaceEnd(text: string, offset: number): number {
  while (/\s/.test(text.charAt(offset))) offset++;
  return offset;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
