/*
 * How often something may happen: token buckets, one for each key and one for all of them together.
 *
 * A bucket holds a minute's worth and fills evenly, so that a burst passes and a flood does not. Memory is bounded: of more
 * keys than are kept, the one quiet for longest is forgotten, and then the bucket of all still holds. Pure but for its own
 * books; time is passed in.
 */

/** Times in a minute; 0 = no limit. */
export interface Rates {
  readonly perKey: number;
  readonly inAll: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, ms. */
  at: number;
}

const MINUTE_MS = 60_000;

export class RateLimit {
  #rates: Rates;
  readonly #now: () => number;
  readonly #mostKeys: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #all: Bucket;

  /**
   * @param now ms; only ever forward
   * @param mostKeys keys remembered at most
   */
  constructor(rates: Rates, now: () => number, mostKeys = 4096) {
    this.#rates = rates;
    this.#now = now;
    this.#mostKeys = mostKeys;
    this.#all = { tokens: rates.inAll, at: now() };
  }

  /** Goes on by other rates. What has been used of the old ones stays used. */
  configure(rates: Rates): void {
    // From no limit to one: all of it is there.
    if (this.#rates.inAll === 0) this.#all.tokens = rates.inAll;
    if (this.#rates.perKey === 0) this.#buckets.clear();
    this.#rates = rates;
  }

  /** Keys remembered now. */
  get keys(): number {
    return this.#buckets.size;
  }

  /** Whether it may happen once more for this key; if so it counts. What is refused to a key costs the others nothing. */
  take(key: string): boolean {
    const { perKey, inAll } = this.#rates;
    const now = this.#now();
    const own = perKey === 0 ? undefined : this.#bucketOf(key, perKey, now);
    if (own !== undefined && own.tokens < 1) return false;
    if (inAll !== 0) {
      fill(this.#all, inAll, now);
      if (this.#all.tokens < 1) return false;
      this.#all.tokens--;
    }
    if (own !== undefined) own.tokens--;
    return true;
  }

  #bucketOf(key: string, most: number, now: number): Bucket {
    const bucket = this.#buckets.get(key) ?? { tokens: most, at: now };
    fill(bucket, most, now);
    // The last one used stands last.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#mostKeys) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}

function fill(bucket: Bucket, perMinute: number, now: number): void {
  const since = Math.max(0, now - bucket.at);
  bucket.tokens = Math.min(perMinute, bucket.tokens + since * perMinute / MINUTE_MS);
  bucket.at = now;
}
