/*
 * Who is logged in, and the tokens that a change has to carry.
 *
 * Owns the sessions, in memory alone: a restart ends them all. A session's id is known to its browser only; here lies its
 * digest. The CSRF token is made from a secret of this start and the session, so that none need be kept.
 */

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Sessions at the same time; beyond it the oldest ends. */
const MAX_SESSIONS = 200;
/** 256 bits. */
const ID_BYTES = 32;

export interface Session {
  /** Digest of its id. */
  readonly key: string;
  /** ms since 1970 */
  readonly expires: number;
}

export class Sessions {
  readonly #secret = randomBytes(ID_BYTES);
  readonly #now: () => number;
  readonly #lifetimeMs: number;
  readonly #sessions = new Map<string, Session>();

  constructor(now: () => number, lifetimeMs: number) {
    this.#now = now;
    this.#lifetimeMs = lifetimeMs;
  }

  /** Begins a session and returns its id for the cookie. */
  begin(): { id: string; session: Session } {
    const id = newToken();
    const session = { key: digest(id), expires: this.#now() + this.#lifetimeMs };
    for (const { key, expires } of this.#sessions.values()) {
      if (expires <= this.#now()) this.#sessions.delete(key);
    }
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(session.key, session);
    return { id, session };
  }

  /** The session of an id; undefined where there is none, or none any more. */
  find(id: string): Session | undefined {
    // The key is a digest: how long the look-up takes says nothing about an id.
    const session = this.#sessions.get(digest(id));
    return session !== undefined && this.isOpen(session) ? session : undefined;
  }

  isOpen(session: Session): boolean {
    return this.#sessions.has(session.key) && session.expires > this.#now();
  }

  end(session: Session): void {
    this.#sessions.delete(session.key);
  }

  /** The token for changes within a session, or, undefined, for those without one. */
  csrf(session: Session | undefined): string {
    return createHmac("sha256", this.#secret).update(session?.key ?? "none").digest("base64url");
  }
}

/** A text of 256 random bits. */
export function newToken(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

/** Whether two secrets are the same, in a time that does not depend on how much of them is. */
export function sameSecret(one: string, other: string): boolean {
  const of = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(of(one), of(other));
}

function digest(id: string): string {
  return createHash("sha256").update(id).digest("base64url");
}
