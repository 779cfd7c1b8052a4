/*
 * Which service manager this system has, and the real hands it works with.
 */

import { ServiceError, type ServiceManager } from "./definition.ts";
import { entriesOf } from "./folders.ts";
import { SystemdService } from "./systemd.ts";
import { runTool } from "./tool.ts";
import type { Waiting } from "./wait.ts";
import { NEEDS_ADMINISTRATOR, WindowsService } from "./windows.ts";

/**
 * The service manager of this system.
 *
 * @param program the installed program, absolute
 * @throws {ServiceError} where the system has none that is known
 */
export function serviceManager(program: string): ServiceManager {
  switch (Deno.build.os) {
    case "windows":
      return new WindowsService({
        run: runTool,
        pause,
        makeFolder,
        isFree,
        isThere,
        entriesOf,
        program,
      });
    case "linux":
      return new SystemdService({ run: runTool, pause, etc: "/etc" });
    default:
      throw new ServiceError(
        `There is no service for ${Deno.build.os}: have its own service manager run \`dicomforwarder --config FILE\``,
      );
  }
}

/** Resolves after so many ms; rejects when the signal is aborted. */
export const pause: Waiting["pause"] = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(interrupted());
    const stop = () => {
      clearTimeout(timer);
      reject(interrupted());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });

function interrupted(): ServiceError {
  return new ServiceError("Interrupted; what the service does is not known");
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const why = error instanceof Deno.errors.PermissionDenied
      ? NEEDS_ADMINISTRATOR
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ServiceError(`Cannot make the folder ${path}: ${why}`, { cause: error });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** A program that runs cannot be opened for writing on Windows. */
async function isFree(path: string): Promise<boolean> {
  try {
    (await Deno.open(path, { read: true, write: true })).close();
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
