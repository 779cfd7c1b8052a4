/*
 * The list of who may send: calling AE titles, each tied to the addresses it may come from and the titles it may call.
 *
 * Pure; compiled once for each configuration. An empty list lets everybody in. Anybody can write any AE title into a
 * request: what ties a title to a device is its address here, a user identity, or a certificate.
 */

import { addressFilter } from "../access/address.ts";
import type { SenderConfig } from "../config/access.ts";

/** What the list says of one request: whose it is, or where it fails. */
export type Verdict =
  | {
    readonly kind: "listed";
    /** The user whose identity it has to bring; null where any will do, or none. */
    readonly user: string | null;
  }
  | { readonly kind: "unknown-title" | "wrong-address" | "wrong-called-title" };

interface Sender {
  readonly config: SenderConfig;
  readonly has: (address: string) => boolean;
}

const ANYBODY: Verdict = { kind: "listed", user: null };

export class SenderList {
  readonly #senders: readonly Sender[];
  readonly #placed: readonly Sender[];

  constructor(senders: readonly SenderConfig[]) {
    this.#senders = senders.map((config) => ({ config, has: addressFilter(config.addresses) }));
    this.#placed = this.#senders.filter(({ config }) => config.addresses.length > 0);
  }

  /** Senders that are tied to an address. */
  get placed(): number {
    return this.#placed.length;
  }

  /** Whether an address is one of those that senders are tied to: known before anything is read. */
  hasAddress(address: string): boolean {
    return this.#placed.some(({ has }) => has(address));
  }

  /** Judges a request. Of several entries with its title, one that agrees is enough, and the first such one counts. */
  judge(callingAeTitle: string, calledAeTitle: string, address: string): Verdict {
    if (this.#senders.length === 0) return ANYBODY;
    const titled = this.#senders.filter(({ config }) => config.aeTitle === callingAeTitle);
    if (titled.length === 0) return { kind: "unknown-title" };
    const near = titled.filter(({ has }) => has(address));
    if (near.length === 0) return { kind: "wrong-address" };
    const found = near.find(({ config: { calledAeTitles } }) =>
      calledAeTitles === null || calledAeTitles.includes(calledAeTitle)
    );
    if (found === undefined) return { kind: "wrong-called-title" };
    return { kind: "listed", user: found.config.user };
  }
}
