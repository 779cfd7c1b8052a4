/*
 * What the wizard needs of an installed service. It never knows how a service is controlled: who starts it, passes this.
 */

import type { Config } from "../config/load.ts";

export interface ServiceControl {
  state(): Promise<"running" | "stopped" | "absent">;
  /** Stops it where it runs, and starts it. Rejects with a sentence for the person where that fails. */
  restart(): Promise<void>;
  /**
   * Lets the firewall and the rights on folders follow the settings. Rejects likewise.
   *
   * @returns what the person should know of it, in sentences
   */
  apply(config: Config): Promise<readonly string[]>;
}
