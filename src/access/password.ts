/*
 * Passwords: only their hash is ever kept, `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, and only the parameters that are allowed
 * here are ever computed, whatever the text says.
 *
 * scrypt (RFC 7914) takes 32 MiB and about 0.2 s of a thread of its own, so no more than two run at once and a few wait.
 */

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** As OWASP's table has it for 32 MiB. */
const USUAL = { ln: 15, r: 8, p: 3 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const AT_ONCE = 2;
const WAITING = 8;

/** Fewest and most characters of a new password. */
export const SHORTEST_PASSWORD = 10;
export const LONGEST_PASSWORD = 1024;

/** How many characters a new password has, where it is shorter or longer than one may be; else undefined. */
export function wrongLength(password: string): number | undefined {
  const length = [...password].length;
  return length < SHORTEST_PASSWORD || password.length > LONGEST_PASSWORD ? length : undefined;
}

const FORM =
  /^\$scrypt\$ln=(1[0-7]),r=([1-9]|1[0-6]),p=([1-8])\$([A-Za-z0-9_-]{16,64})\$([A-Za-z0-9_-]{43})$/;

/** Hashes a new password for the configuration. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const { ln, r, p } = USUAL;
  const hash = await derive(password, salt, ln, r, p);
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString("base64url")}$${
    hash.toString("base64url")
  }`;
}

/** Two computations at a time; the others wait for their turn. */
export class HashTurns {
  #running = 0;
  readonly #queue: (() => void)[] = [];

  /** True while so many wait that no further one should be begun. */
  get busy(): boolean {
    return this.#queue.length >= WAITING;
  }

  async run<T>(compute: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running++;
    try {
      return await compute();
    } finally {
      // The turn is handed on, not given back and taken again.
      const next = this.#queue.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** Checks passwords against one hash. */
export class PasswordCheck {
  readonly #hash: string;
  readonly #turns: HashTurns;

  /**
   * @param hash as `hashPassword` makes it
   * @param turns shared where several hashes are checked against, so that all of them together run two at a time
   */
  constructor(hash: string, turns = new HashTurns()) {
    this.#hash = hash;
    this.#turns = turns;
  }

  /** True while so many wait that no further one is taken. */
  get busy(): boolean {
    return this.#turns.busy;
  }

  /** Whether it is the password. Takes the same time right or wrong. */
  async matches(password: string): Promise<boolean> {
    const parts = FORM.exec(this.#hash);
    if (parts === null) return false;
    const [, ln, r, p, salt, hash] = parts;
    const found = await this.#turns.run(() =>
      derive(password, Buffer.from(salt!, "base64url"), Number(ln), Number(r), Number(p))
    );
    return timingSafeEqual(found, Buffer.from(hash!, "base64url"));
  }
}

function derive(
  password: string,
  salt: Uint8Array,
  ln: number,
  r: number,
  p: number,
): Promise<Buffer> {
  const N = 2 ** ln;
  // The same letters in another normal form are the same password.
  const text = password.normalize("NFKC");
  return new Promise((resolve, reject) => {
    scrypt(text, salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r }, (error, key) => {
      if (error !== null) reject(error);
      else resolve(key);
    });
  });
}
