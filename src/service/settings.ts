/*
 * What of the configuration the service manager, the firewall and the rights of folders follow. Pure.
 */

import { dirname } from "node:path";
import { type Config, configFrom } from "../config/load.ts";
import { type ServiceSettings, USUAL_PORT } from "./definition.ts";

/** The settings of a configuration that has loaded. */
export function serviceSettings(config: Config): ServiceSettings {
  return {
    ports: portsOf(config),
    allowedHosts: config.allowedHosts,
    stopMs: config.timeouts.stopMs,
    logDir: config.logDir,
    privateFolders: [config.logDir, config.spoolDir],
    sharedFolders: config.destinations.flatMap((each) =>
      each.type === "directory" ? [each.path] : []
    ),
  };
}

function portsOf({ localPort, tls }: Config): number[] {
  const plain = localPort === 0 ? USUAL_PORT : localPort;
  const secured = tls === null || tls.port === 0 ? [] : [tls.port];
  return tls?.only ? secured : [plain, ...secured];
}

/** Those of a file that is not there yet, or cannot be used: everything beside it, as its defaults are. */
export function usualSettings(config: string): ServiceSettings {
  return serviceSettings(configFrom({ store_locally: true }, dirname(config)));
}
