/*
 * Who may send, as the program works with it: senders, rates of connections, users.
 *
 * Pure. What of it is secret is decided in redact.ts.
 */

import type { ConfigFile } from "./schema.ts";

/** One line of the list of those who may send. */
export interface SenderConfig {
  readonly aeTitle: string;
  /** IP addresses and CIDR ranges; empty = any. */
  readonly addresses: readonly string[];
  /** AE titles it may call; null = any that is let in at all. */
  readonly calledAeTitles: readonly string[] | null;
  /** Name of the user whose identity it has to bring; null = none is asked for on its account. */
  readonly user: string | null;
}

/** Connections a minute; 0 = no limit. */
export interface ConnectionRateConfig {
  readonly perHost: number;
  readonly all: number;
}

/** User identity asked of senders (PS3.7 §D.3.3.7). */
export interface UserIdentityConfig {
  readonly required: boolean;
  readonly users: readonly {
    readonly name: string;
    /** Null where the name alone is enough. */
    readonly passwordHash: string | null;
  }[];
}

/** User identity that we give a destination. */
export interface OurIdentityConfig {
  readonly username: string;
  /** Null where the name alone is sent (type 1). */
  readonly passcode: string | null;
}

/** The settings of a file that the schema has accepted. */
export function accessFrom(file: ConfigFile): {
  senders: SenderConfig[];
  connectionRate: ConnectionRateConfig;
  userIdentity: UserIdentityConfig;
} {
  return {
    senders: file.senders.map((sender) => ({
      aeTitle: sender.ae_title.trim(),
      addresses: sender.addresses,
      calledAeTitles: sender.called_ae_titles?.map((title) => title.trim()) ?? null,
      user: sender.user ?? null,
    })),
    connectionRate: { perHost: file.connection_rate.per_host, all: file.connection_rate.all },
    userIdentity: {
      required: file.user_identity.required,
      users: file.user_identity.users.map(({ name, password_hash }) => ({
        name,
        passwordHash: password_hash ?? null,
      })),
    },
  };
}
