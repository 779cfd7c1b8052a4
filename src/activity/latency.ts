/*
 * How long something took in the last minute: median and 99th percentile, within 4 %, of any number of values in fixed
 * memory.
 */

/** A minute in slices: the oldest is given up as a new one begins. */
const SLICES = 12;
const SLICE_MS = 5_000;

/** Buckets grow by this; a value shows as the middle of its own. */
const GROWTH = 1.08;
/** The first bucket ends here, in ms. */
const LEAST = 0.01;
/** The last one begins at about three minutes. */
const BUCKETS = 220;

const LOG_GROWTH = Math.log(GROWTH);

export class RecentLatency {
  readonly #slices = Array.from({ length: SLICES }, () => new Uint32Array(BUCKETS));
  /** Number of the slice under way. */
  #slice: number;

  /** @param now ms since 1970 */
  constructor(now: number) {
    this.#slice = Math.floor(now / SLICE_MS);
  }

  /** @param ms how long it took */
  add(now: number, ms: number): void {
    const slice = this.#turnTo(now);
    const at = ms <= LEAST ? 0 : Math.ceil(Math.log(ms / LEAST) / LOG_GROWTH);
    slice[Math.min(BUCKETS - 1, at)]!++;
  }

  /** In ms; null where there was nothing in the last minute. */
  read(now: number): { readonly median: number | null; readonly p99: number | null } {
    this.#turnTo(now);
    const sum = new Float64Array(BUCKETS);
    let count = 0;
    for (const slice of this.#slices) {
      for (let n = 0; n < BUCKETS; n++) {
        sum[n]! += slice[n]!;
        count += slice[n]!;
      }
    }
    if (count === 0) return { median: null, p99: null };
    return { median: quantile(sum, count, 0.5), p99: quantile(sum, count, 0.99) };
  }

  #turnTo(now: number): Uint32Array {
    const slice = Math.floor(now / SLICE_MS);
    const gone = slice - this.#slice;
    // A clock that was set back: what is kept is of no known time any more.
    if (gone < 0 || gone >= SLICES) { for (const each of this.#slices) each.fill(0); }
    else {for (let next = this.#slice + 1; next <= slice; next++) {
        this.#slices[next % SLICES]!.fill(0);
      }}
    this.#slice = slice;
    return this.#slices[slice % SLICES]!;
  }
}

function quantile(counts: Float64Array, count: number, part: number): number {
  let left = Math.ceil(count * part);
  let at = 0;
  while (at < BUCKETS - 1 && (left -= counts[at]!) > 0) at++;
  // The geometric middle of the bucket.
  return at === 0 ? LEAST : LEAST * GROWTH ** (at - 0.5);
}
