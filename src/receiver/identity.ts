/*
 * User identity of an association (PS3.7 §D.3.3.7): who it says it is, and whether that is so.
 *
 * Owns the check of user name and passcode against the hashes of the configuration: two at a time, a few waiting, in the
 * same time for a name that exists and one that does not, and with addresses locked that tried wrong ones too often. A pair
 * found right is remembered by a keyed digest of this process, so that a modality with an association for every image does
 * not pay for a hash each time, and a flood of guesses does not keep it out. Kerberos, SAML and JSON Web Tokens are not
 * understood. A wrong identity is rejected as PS3.7 §D.3.3.7 has it: for good, by the service provider (ACSE related).
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Lockout } from "../access/lockout.ts";
import { HashTurns, PasswordCheck } from "../access/password.ts";
import type { UserIdentityConfig } from "../config/access.ts";
import { escapeText } from "../log.ts";
import type { UserIdentityRequest } from "../ul/pdu.ts";
import type { Refusal } from "./admission.ts";

const NOT_WHO_IT_SAYS = { result: 1, source: 2, reason: 1 } as const;
const CONGESTED = { result: 2, source: 3, reason: 1 } as const;

/** What came of a check. */
export type Identified =
  | {
    readonly kind: "ok";
    /** The name shown to be right; null where none was, or had to be. */
    readonly user: string | null;
    /** Whether the answer has to say so (PS3.7 §D.3.3.7.2). */
    readonly respond: boolean;
  }
  | { readonly kind: "refused"; readonly refusal: Refusal };

interface User {
  readonly check: PasswordCheck | null;
  /** Keyed digest of the passcode found right last. */
  right: Uint8Array | undefined;
}

export class UserIdentities {
  #required: boolean;
  #users: ReadonlyMap<string, User>;
  readonly #turns = new HashTurns();
  /** Being checked now, by name and digest: the same at the same time is one check. */
  readonly #checking = new Map<string, Promise<boolean>>();
  readonly #lockout: Lockout;
  readonly #key = randomBytes(32);

  /** @param now ms since 1970 */
  constructor(config: UserIdentityConfig, now: () => number) {
    // Addresses only: strangers must not be able to lock modalities out.
    this.#lockout = new Lockout(now, Infinity);
    this.#required = config.required;
    this.#users = usersOf(config, this.#turns);
  }

  /** Goes on by other users. Addresses that are locked stay so. */
  configure(config: UserIdentityConfig): void {
    this.#required = config.required;
    this.#users = usersOf(config, this.#turns);
  }

  /**
   * Checks what a request says of its user.
   *
   * @param wanted the one user it has to be, where the sender is tied to one
   */
  async check(
    identity: UserIdentityRequest | undefined,
    wanted: string | null,
    host: string,
  ): Promise<Identified> {
    const needed = this.#required || wanted !== null;
    if (!needed && (this.#users.size === 0 || identity === undefined || identity.type > 2)) {
      return { kind: "ok", user: null, respond: false };
    }
    if (identity === undefined) {
      return wrong("it brings no user identity, and one is required");
    }
    if (identity.type !== 1 && identity.type !== 2) {
      return wrong(
        `its user identity is of type ${identity.type}; 1 (user name) and 2 (user name and passcode) are understood`,
      );
    }
    const waitMs = this.#lockout.waitMs(host);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      return refused(
        CONGESTED,
        `too many wrong user identities from there: locked for ${seconds} s`,
      );
    }
    const name = text(identity.primary);
    const shown = escapeText(name, 64);
    const right = await this.#isRight(name, identity, host);
    if (right === undefined) {
      return refused(CONGESTED, "too many user identities are being checked");
    }
    if (!right) return wrong(`the user name or passcode of its user ${shown} is wrong`);
    if (wanted !== null && name !== wanted) {
      return wrong(`its user is ${shown}, and senders wants ${wanted} of its AE title`);
    }
    return { kind: "ok", user: name, respond: identity.positiveResponseRequested };
  }

  /** Undefined where so many are being checked that this one is not. */
  async #isRight(
    name: string,
    identity: UserIdentityRequest,
    host: string,
  ): Promise<boolean | undefined> {
    const user = this.#users.get(name);
    if (user !== undefined && user.check === null) return true;
    if (identity.type !== 2) return false;
    const digest = createHmac("sha256", this.#key).update(identity.secondary).digest();
    if (user?.right !== undefined && timingSafeEqual(user.right, digest)) return true;
    const key = `${digest.toString("hex")} ${name}`;
    const running = this.#checking.get(key);
    if (running !== undefined) return await running;
    if (this.#turns.busy) return undefined;
    const proved = this.#lockout.begin(host);
    const check = this.#compute(user, identity);
    this.#checking.set(key, check);
    try {
      const right = await check;
      if (right && user !== undefined) user.right = digest;
      if (right) proved();
      return right;
    } finally {
      this.#checking.delete(key);
    }
  }

  /** Computes a hash in any case, so that a name that does not exist takes as long as one that does. */
  async #compute(user: User | undefined, { secondary }: UserIdentityRequest): Promise<boolean> {
    const check = user?.check ?? [...this.#users.values()].find((one) => one.check)?.check;
    const matches = await check?.matches(text(secondary)) ?? false;
    return matches && user !== undefined;
  }
}

function usersOf({ users }: UserIdentityConfig, turns: HashTurns): ReadonlyMap<string, User> {
  return new Map(users.map(({ name, passwordHash }) => [name, {
    check: passwordHash === null ? null : new PasswordCheck(passwordHash, turns),
    right: undefined,
  }]));
}

/** User name and passcode are UTF-8 (PS3.7 Table D.3-14); bytes that are not make no name that exists. */
function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function wrong(why: string): Identified {
  return refused(NOT_WHO_IT_SAYS, why);
}

function refused(numbers: Omit<Refusal, "why">, why: string): Identified {
  return { kind: "refused", refusal: { ...numbers, why } };
}
