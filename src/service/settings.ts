/*
 * What of the configuration the service manager, the firewall and the rights of folders follow. Pure.
 */

import { dirname } from "node:path";
import { type Config, configFrom } from "../config/load.ts";
import { type ServiceSettings, USUAL_PORT } from "./definition.ts";

/** The settings of a configuration that has loaded. */
export function serviceSettings(config: Config): ServiceSettings {
  return {
    port: config.localPort === 0 ? USUAL_PORT : config.localPort,
    allowedHosts: config.allowedHosts,
    stopMs: config.timeouts.stopMs,
    logDir: config.logDir,
    privateFolders: [config.logDir, config.spoolDir],
    sharedFolders: config.destinations.flatMap((each) =>
      each.type === "directory" ? [each.path] : []
    ),
  };
}

/** Those of a file that is not there yet, or cannot be used: everything beside it, as its defaults are. */
export function usualSettings(config: string): ServiceSettings {
  return serviceSettings(configFrom({ store_locally: true }, dirname(config)));
}
