/*
 * The configuration in force. Who works by it asks here each time, so that all see another one at the same moment.
 */

import type { Config } from "../config/load.ts";

export class InForce {
  #config: Config;
  #names: readonly string[];

  constructor(config: Config) {
    this.#config = config;
    this.#names = namesOf(config);
  }

  get config(): Config {
    return this.#config;
  }

  /** Names of the destinations, in the order of the configuration. */
  get names(): readonly string[] {
    return this.#names;
  }
}

function namesOf(config: Config): readonly string[] {
  return config.destinations.map((destination) => destination.name);
}
