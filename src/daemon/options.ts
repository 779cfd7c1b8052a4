/*
 * What a daemon is started with beside its configuration: others than the usual ones in tests.
 */

import type { Clock } from "../clock.ts";
import type { Control } from "../control/control.ts";
import type { BackOff } from "../delivery/retry.ts";
import type { Entry } from "../spool/entry.ts";
import type { FileSystem } from "../spool/file_system.ts";

export interface DaemonOptions {
  readonly clock?: Clock;
  readonly files?: FileSystem;
  /** 0 to 1 */
  readonly random?: () => number;
  readonly backOff?: BackOff;
  /** Of the program, as alarms tell it. */
  readonly version?: string;
  /** Told of each entry that enters the queue. */
  readonly onQueued?: (entry: Entry) => void;
  /** Whether the status page is served, where the configuration wants it: another forwarder's in tests. */
  readonly page?: boolean | Control;
}
