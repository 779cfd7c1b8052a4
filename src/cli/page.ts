/*
 * `page`: the address of the status page, for a browser or a shortcut.
 *
 * The running forwarder's own word counts; where none runs, or this user may not see it, what the configuration says.
 */

import type { Config } from "../config/load.ts";
import { readControlFile } from "../web/control_file.ts";
import { pageUrl } from "../web/page_url.ts";
import { ExitCode } from "./exit_code.ts";
import { printLine, warnLine } from "./terminal.ts";

/** Runs `page`: prints the address alone. */
export async function pageCommand({ spoolDir, web }: Config): Promise<ExitCode> {
  if (!web.enabled) {
    warnLine("There is no status page: web.enabled is false in the configuration.");
    return ExitCode.Failed;
  }
  const running = await readControlFile(spoolDir);
  if (running !== undefined) {
    printLine(running.url);
    return ExitCode.Ok;
  }
  if (web.port === 0) {
    warnLine(
      "The status page is on any free port (web.port is 0), and no forwarder runs that could name it.",
    );
    return ExitCode.Failed;
  }
  printLine(pageUrl(web, web.port));
  return ExitCode.Ok;
}
