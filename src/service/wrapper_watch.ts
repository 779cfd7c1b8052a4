/*
 * Whether the service that runs this program is still there.
 *
 * Where nssm.exe is ended by force, the service manager calls the service stopped while the program goes on by itself, and
 * the next start finds its spool in use. So the program asks now and then, and stops in order where nobody runs it any
 * more. An answer that cannot be had changes nothing.
 */

import { SERVICE_NAME } from "./definition.ts";
import { parseQuery } from "./sc_output.ts";
import type { RunTool } from "./tool.ts";

/** How often, in ms: more often than a failed service is started again (windows_plan.ts). */
const LOOK_MS = 20_000;

export interface WrapperWatchOptions {
  readonly run: RunTool;
  /** Calls back once after so many ms, unless the returned function is called before. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** Called once, when the service has gone. */
  readonly gone: () => void;
  /** Called once, where the question cannot be asked. */
  readonly trouble: (error: unknown) => void;
}

/** Watches until the returned function is called. */
export function watchWrapper({ run, after, gone, trouble }: WrapperWatchOptions): () => void {
  let stopped = false;
  let told = false;
  let cancel = () => {};
  const look = async () => {
    try {
      const { text } = await run("sc.exe", ["query", SERVICE_NAME]);
      if (stopped) return;
      if (parseQuery(text)?.state === "stopped") return gone();
    } catch (error) {
      if (!told) trouble(error);
      told = true;
    }
    if (!stopped) cancel = after(LOOK_MS, () => void look());
  };
  cancel = after(LOOK_MS, () => void look());
  return () => {
    stopped = true;
    cancel();
  };
}
