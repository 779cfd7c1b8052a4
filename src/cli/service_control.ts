/*
 * The installed service, as the wizard knows it.
 */

import { ServiceError } from "../service/definition.ts";
import { serviceManager } from "../service/manager.ts";
import { serviceSettings } from "../service/settings.ts";
import type { ServiceControl } from "../setup/service_control.ts";

/**
 * The service that runs with this configuration: one with another is none of the wizard's business.
 *
 * @param file of the configuration, absolute
 * @returns undefined where this system has no service manager that is known
 */
export function serviceControl(file: string): ServiceControl | undefined {
  const program = Deno.execPath();
  const manager = (() => {
    try {
      return serviceManager(program);
    } catch (error) {
      if (error instanceof ServiceError) return undefined;
      throw error;
    }
  })();
  if (manager === undefined) return undefined;
  const never = new AbortController().signal;
  return {
    async state() {
      try {
        const { state, config } = await manager.state();
        if (config === undefined || !isSame(config, file)) return "absent";
        return state === "absent" || state === "stopped" ? state : "running";
      } catch (error) {
        // No service manager runs here (a container, say), or it may not be asked: then there is no service to see to.
        if (error instanceof ServiceError) return "absent";
        throw error;
      }
    },
    async restart() {
      await manager.stop(never);
      await manager.start(never);
    },
    async apply(config) {
      // A forwarder run from its sources is nobody's service.
      if (!Deno.build.standalone) return [];
      // The service goes on running the program it was installed with: the wizard's may be a copy somewhere else.
      const installed = (await manager.state()).program;
      const { notes } = await manager.install({
        program: installed ?? program,
        config: file,
        settings: serviceSettings(config),
        start: undefined,
        account: undefined,
      });
      return notes;
    },
  };
}

function isSame(one: string, other: string): boolean {
  return Deno.build.os === "windows" ? one.toLowerCase() === other.toLowerCase() : one === other;
}
