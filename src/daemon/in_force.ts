/*
 * The configuration in force. Who works by it asks here each time, so that all see another one at the same moment.
 */

import type { Config } from "../config/load.ts";

export class InForce {
  #config: Config;
  #names: readonly string[] = [];
  #known: ReadonlySet<string> = new Set();

  constructor(config: Config) {
    this.#config = config;
    this.put(config);
  }

  put(config: Config): void {
    this.#config = config;
    this.#names = config.destinations.map((destination) => destination.name);
    this.#known = new Set(this.#names);
  }

  get config(): Config {
    return this.#config;
  }

  /** Names of the destinations, in the order of the configuration. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Whether it has a destination of that name. */
  has(destination: string): boolean {
    return this.#known.has(destination);
  }
}
