/*
 * A running forwarder as others have it.
 */

import type { Alarms } from "../alarms/alarms.ts";
import type { Config } from "../config/load.ts";
import type { ReloadResult } from "../control/views.ts";
import type { DestinationSnapshot } from "../delivery/delivery_setting.ts";
import type { Figures } from "./figures.ts";
import type { QueueControl } from "./queue_control.ts";

/** A running forwarder. */
export interface Daemon {
  /** The port listened on; the one for TLS where it is the only one. */
  readonly port: number;
  /** The port for TLS, where there is one. */
  readonly tlsPort: number | undefined;
  /** Resolves when the ledger has been held against what was in the spool at the start, or could not be. */
  readonly balanced: Promise<void>;
  /** The configuration in force. */
  readonly config: Config;
  /** In words, what of the configuration file is not in force; null where all of it is. */
  readonly configurationTrouble: string | null;
  /** What can be seen of it. */
  readonly figures: Figures;
  /** What waits, what failed, what is held, and what a person does about it. */
  readonly queue: QueueControl;
  /** What tells people that something is wrong. */
  readonly alarms: Alarms;
  /** The status page's port, once that is served; undefined where it is not to be. */
  pagePort(): Promise<number | undefined>;
  snapshot(): { associations: number; held: number; destinations: DestinationSnapshot[] };
  /**
   * Goes on by another configuration; associations and what waits are kept.
   *
   * @param by who wants it, in words
   */
  reload(config: Config, by: string): Promise<ReloadResult>;
  /** The same by what the configuration file says now. One with faults changes nothing. */
  reloadFile(by: string): Promise<ReloadResult>;
  /** Opens no session to a destination until `resume`, over restarts, too. False where there is no such destination. */
  pause(destination: string, by: string): boolean;
  resume(destination: string, by: string): boolean;
  /** Forgets why a destination is not tried now, and tries it. */
  tryNow(destination: string, by: string): boolean;
  /** Stops in order, within `timeouts.stop`. */
  stop(): Promise<void>;
}
