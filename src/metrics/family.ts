/*
 * Counters and histograms as the paths that every instance takes can bear them: an addition each, nothing allocated.
 *
 * Owns the numbers. What they are called and how they are written out is for others: a family shows itself as samples when
 * somebody asks. Values of labels may come from the network, so a family keeps a bounded number of them; what comes after
 * is counted under "other", and no count is lost.
 */

/** One line of a family: its labels and its value. */
export interface Sample {
  /** Where it is not the family's own: `..._bucket`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with all its lines, in the terms of Prometheus' text format. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  samples(): Sample[];
}

/** Stands for every value of a label that came when there were enough. */
export const OTHER = "other";

/** Children of a family where nothing else is said: combinations of the values of its labels. */
const MOST_CHILDREN = 500;

/** Children of a family by their labels' values, in bounded number. */
class Children<T> {
  readonly labels: readonly string[];
  readonly #most: number;
  readonly #make: () => T;
  readonly #children = new Map<string, { readonly values: readonly string[]; readonly child: T }>();

  constructor(labels: readonly string[], make: () => T, most: number) {
    this.labels = labels;
    this.#most = most;
    this.#make = make;
  }

  get(values: readonly string[]): T {
    const key = keyOf(values);
    const known = this.#children.get(key);
    if (known !== undefined) return known.child;
    if (this.#children.size < this.#most) return this.#add(key, [...values]);
    const others = values.map(() => OTHER);
    const otherKey = keyOf(others);
    return this.#children.get(otherKey)?.child ?? this.#add(otherKey, others);
  }

  #add(key: string, values: readonly string[]): T {
    const child = this.#make();
    this.#children.set(key, { values, child });
    return child;
  }

  /** Every child with its labels. */
  *all(): Generator<[Record<string, string>, T]> {
    for (const { values, child } of this.#children.values()) {
      yield [Object.fromEntries(this.labels.map((label, n) => [label, values[n]!])), child];
    }
  }
}

function keyOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join("\n");
}

/** One count. */
export class Count {
  value = 0;

  add(by = 1): void {
    this.value += by;
  }
}

export class Counter implements Family {
  readonly type = "counter";
  readonly name: string;
  readonly help: string;
  readonly #children: Children<Count>;

  /** @param most combinations of labels' values that are told apart */
  constructor(name: string, help: string, labels: readonly string[] = [], most = MOST_CHILDREN) {
    this.name = name;
    this.help = help;
    this.#children = new Children(labels, () => new Count(), most);
    // Without labels there is one line from the beginning: an absent zero and no such metric look the same.
    if (labels.length === 0) this.#children.get([]);
  }

  /** The count of these values of the labels; to be kept by who counts often. */
  of(...values: string[]): Count {
    return this.#children.get(values);
  }

  samples(): Sample[] {
    return Array.from(this.#children.all(), ([labels, { value }]) => ({ labels, value }));
  }
}

/** One distribution over fixed buckets. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** One more than there are bounds: what is above them all. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
    this.count++;
  }
}

export class Histogram implements Family {
  readonly type = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #children: Children<Distribution>;

  /** @param bounds upper ends of the buckets, ascending, in the metric's unit */
  constructor(
    name: string,
    help: string,
    bounds: readonly number[],
    labels: readonly string[] = [],
  ) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.#children = new Children(labels, () => new Distribution(bounds), MOST_CHILDREN);
    if (labels.length === 0) this.#children.get([]);
  }

  of(...values: string[]): Distribution {
    return this.#children.get(values);
  }

  samples(): Sample[] {
    const samples: Sample[] = [];
    for (const [labels, { counts, sum, count }] of this.#children.all()) {
      const metricName = `${this.name}_bucket`;
      let below = 0;
      for (const [n, bound] of this.#bounds.entries()) {
        below += counts[n]!;
        samples.push({ metricName, labels: { ...labels, le: String(bound) }, value: below });
      }
      samples.push({ metricName, labels: { ...labels, le: "+Inf" }, value: count });
      samples.push({ metricName: `${this.name}_sum`, labels, value: sum });
      samples.push({ metricName: `${this.name}_count`, labels, value: count });
    }
    return samples;
  }
}

/** What is as it is at the moment of asking. */
export function gauge(
  name: string,
  help: string,
  values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[],
): Family {
  return {
    name,
    help,
    type: "gauge",
    samples: () => values.map(([labels, value]) => ({ labels, value })),
  };
}
