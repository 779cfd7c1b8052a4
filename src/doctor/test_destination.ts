/*
 * The quick test of a destination, for the status pages: name, TCP, association and C-ECHO of a DICOM node, a file written
 * and removed again in a folder.
 *
 * What is wrong is in the result, never thrown. It proposes nothing but Verification, and takes no longer than the
 * destination's own time-outs.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import type { ConnectionResult } from "../control/views.ts";
import { testConnection } from "../dimse/try_connection.ts";
import { judgeTrial, nearestFolder, tryFolder } from "./disk.ts";
import { duration, type Finding, problem } from "./finding.ts";
import { judgeLookup, lookUp } from "./reach.ts";

/**
 * Tests a destination of the configuration.
 *
 * @param signal ends it; what was not found out then counts as failed
 */
export async function testDestination(
  config: Config,
  destination: DestinationConfig,
  signal: AbortSignal,
): Promise<ConnectionResult> {
  const began = performance.now();
  const lines: string[] = [];
  let ok = true;
  const take = (finding: Finding) => {
    lines.push(`${finding.text}.`);
    if (finding.change !== undefined) lines.push(finding.change.text);
    if (finding.level === "problem") ok = false;
  };
  if (destination.type === "directory") {
    const there = nearestFolder(destination.path);
    take(
      there === undefined
        ? problem("folder", `${destination.path} is on a drive that does not exist`)
        : judgeTrial(destination.path, "the destination's path", await tryFolder(there, signal, 1)),
    );
  } else {
    const { name, host, timeouts } = destination;
    const looked = judgeLookup(host, await lookUp(host, timeouts.connectMs, signal));
    if (looked !== undefined) take(looked);
    if (ok) {
      // "*" stands for the sender's title; a test has no sender but us.
      const callingAeTitle = destination.callingAeTitle === "*"
        ? config.localAeTitle
        : destination.callingAeTitle;
      const result = await testConnection(
        name,
        { ...destination, callingAeTitle },
        timeouts,
        signal,
      );
      ok = result.ok;
      for (const step of result.steps) {
        const text = step.text.replace(/\.$/, "");
        lines.push(`${step.ok ? "" : "FAILED: "}${text} (${took(step.ms)}).`);
      }
      if (result.advice !== undefined) lines.push(result.advice);
    }
  }
  return { ok, lines, duration: performance.now() - began };
}

/** The steps are measured in whole ms. */
function took(ms: number): string {
  if (ms < 1) return "under 1 ms";
  return ms < 1000 ? `${ms} ms` : duration(ms);
}
