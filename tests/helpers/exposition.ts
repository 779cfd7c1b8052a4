/*
 * A strict reader of Prometheus' text exposition format (version 0.0.4): what is not of it is an error, not a guess.
 */

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: ReadSample[];
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const VALUE = /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)$|^NaN$/i;

/**
 * Reads an exposition.
 *
 * @throws {Error} that names the line
 */
export function readExposition(text: string): Map<string, ReadFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, ReadFamily & { help: string; type: string }>();
  const seen = new Set<string>();
  let current: (ReadFamily & { help: string; type: string }) | undefined;
  let name = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string) => new Error(`${why}: ${JSON.stringify(line)}`);
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/s.exec(line);
    if (comment !== null) {
      const [, kind, of, words] = comment as unknown as [string, string, string, string];
      if (kind === "HELP") {
        if (families.has(of)) throw fail("a family comes twice");
        current = { type: "", help: words, samples: [] };
        name = of;
        families.set(of, current);
      } else {
        if (of !== name || current === undefined) throw fail("a type without its help");
        if (!["counter", "gauge", "histogram"].includes(words)) throw fail("an unknown type");
        current.type = words;
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line);
    if (sample === null || current === undefined) throw fail("neither comment nor sample");
    const [, of, inside = "", value] = sample as unknown as [string, string, string, string];
    const suffixes = current.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    if (!suffixes.some((suffix) => of === name + suffix)) throw fail(`a sample not of ${name}`);
    if (!VALUE.test(value)) throw fail("a value that is none");
    if (seen.has(`${of}{${inside}}`)) throw fail("the same sample twice");
    seen.add(`${of}{${inside}}`);
    current.samples.push({ name: of, labels: labelsIn(inside, fail), value: numberOf(value) });
  }
  for (const [of, family] of families) check(of, family);
  return families;
}

/** The one value of these labels; undefined where there is none. */
export function valueOf(
  families: ReadonlyMap<string, ReadFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
  return family?.samples.find((sample) =>
    sample.name === name && Object.keys(sample.labels).length === Object.keys(labels).length &&
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  )?.value;
}

function labelsIn(inside: string, fail: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < inside.length) {
    const at = LABEL.lastIndex;
    const match = LABEL.exec(inside);
    if (match === null) throw fail(`not a label at ${at}`);
    if (match[1]! in labels) throw fail("a label twice");
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
  }
  return labels;
}

function numberOf(value: string): number {
  return /inf/i.test(value) ? (value.startsWith("-") ? -Infinity : Infinity) : Number(value);
}

/** What holds for every family of its type. */
function check(name: string, { type, samples }: ReadFamily): void {
  if (type === "") throw new Error(`${name} has no type`);
  if (type === "counter") {
    if (!name.endsWith("_total")) throw new Error(`${name} is a counter and not a total`);
    if (samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} is negative`);
  }
  if (type !== "histogram") return;
  const last = new Map<string, { le: number; value: number }>();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket`) continue;
    const { le = "", ...rest } = sample.labels;
    const key = JSON.stringify(rest);
    const before = last.get(key) ?? { le: -Infinity, value: 0 };
    const bound = numberOf(le);
    if (!(bound > before.le)) throw new Error(`${name}: buckets out of order at ${le}`);
    if (sample.value < before.value) throw new Error(`${name}: buckets do not add up at ${le}`);
    last.set(key, { le: bound, value: sample.value });
  }
  for (const [key, { le, value }] of last) {
    const of = samples.find((one) =>
      one.name === `${name}_count` && JSON.stringify(one.labels) === key
    );
    if (le !== Infinity || of?.value !== value) {
      throw new Error(`${name}${key}: the count is not that of the last bucket`);
    }
  }
}
