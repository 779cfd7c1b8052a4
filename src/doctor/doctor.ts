/*
 * The examination: all probes in order, local ones first, the destinations beside each other.
 *
 * Owns the order and the limits. It changes nothing in spool or configuration; what it writes for a moment, the probes
 * remove. A probe that fails in a way nobody thought of is a finding, and the others go on.
 */

import type { Config, DestinationConfig } from "../config/load.ts";
import { lookAtCertificates } from "./certificates.ts";
import { probeClock } from "./clock.ts";
import { type NodeFacts, probeNode } from "./dicom_node.ts";
import { probeDirectory } from "./directory_destination.ts";
import { probeSpool } from "./disk.ts";
import { type Finding, ok, type Tell, unknown } from "./finding.ts";
import { probeReceiving, type Surroundings } from "./receiving.ts";
import { probeRights } from "./rights.ts";
import { waitingFor } from "./waiting.ts";

/** A step that takes longer is left, in ms: each has limits of its own that are shorter, but for a disk that hangs. */
const LONGEST_STEP_MS = 30_000;

/** Findings about one thing: this machine, or a destination. */
export interface Section {
  /** `here`, or the destination's name. */
  readonly name: string;
  readonly title: string;
  readonly findings: readonly Finding[];
  readonly facts: NodeFacts;
}

export interface Examination {
  readonly around: Surroundings;
  readonly sendTest: boolean;
  /** ms since 1970 */
  readonly now: () => number;
  readonly uuid: () => string;
}

/**
 * Examines this machine and every destination, or one destination alone.
 *
 * @param only the destination; undefined for all there is
 * @param onSection hears of each section as soon as it and those before it are over
 */
export async function examine(
  config: Config,
  only: DestinationConfig | undefined,
  options: Examination,
  signal: AbortSignal,
  onSection: (section: Section) => void = () => {},
): Promise<Section[]> {
  const sections: Section[] = [];
  const add = (section: Section) => {
    sections.push(section);
    onSection(section);
  };
  if (only === undefined) add(await examineHere(config, options, signal));
  // Beside each other: one that does not answer keeps nobody waiting for the others. A disk is measured by then.
  const asked = only === undefined ? config.destinations : [only];
  const running = asked.map((destination) =>
    examineDestination(config, destination, options, signal)
  );
  for (const section of running) add(await section);
  return sections;
}

async function examineHere(
  config: Config,
  { around, now }: Examination,
  signal: AbortSignal,
): Promise<Section> {
  const findings: Finding[] = [ok("configuration", `${config.file ?? "it"} is in order`)];
  const tell: Tell = (finding) => findings.push(finding);
  const steps: readonly [string, () => Promise<void>][] = [
    ["spool", () => probeSpool(config, tell, signal)],
    ["rights", () => probeRights(config, tell)],
    ["receiving", () => probeReceiving(config, around, tell, signal)],
    ["certificates", () => {
      lookAtCertificates(config, now()).forEach(tell);
      return Promise.resolve();
    }],
    ["clock", () => probeClock(config, tell, now)],
  ];
  for (const [name, step] of steps) {
    if (signal.aborted) break;
    await guarded(name, tell, step, signal);
  }
  return { name: "here", title: "This machine", findings, facts: {} };
}

async function examineDestination(
  config: Config,
  destination: DestinationConfig,
  { sendTest, now, uuid }: Examination,
  signal: AbortSignal,
): Promise<Section> {
  const { name } = destination;
  const findings: Finding[] = [];
  const tell: Tell = (finding) => findings.push(ofDestination(finding, name));
  let facts: NodeFacts = {};
  if (destination.type === "directory") {
    await guarded("folder", tell, () => probeDirectory(destination, tell, signal), signal);
    return { name, title: `${name}: folder ${destination.path}`, findings, facts };
  }
  await guarded("destination", tell, async () => {
    const waiting = waitingFor(config.spoolDir, name);
    const options = { localAeTitle: config.localAeTitle, waiting, sendTest, now, uuid };
    facts = await probeNode(destination, options, tell, signal);
  });
  const { aeTitle, host, port } = destination;
  return { name, title: `${name}: ${aeTitle} at ${host} port ${port}`, findings, facts };
}

/** What to change is told without the section around it. */
function ofDestination(finding: Finding, name: string): Finding {
  const { change } = finding;
  return change === undefined
    ? finding
    : { ...finding, change: { ...change, text: `${name}: ${change.text}` } };
}

/**
 * Runs a step to its end.
 *
 * @param signal leaves it as soon as it is aborted, and a step that takes too long: one that waits for the disk has no
 *   limit of its own. Undefined for one that sees to that itself.
 */
async function guarded(
  name: string,
  tell: Tell,
  step: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const left = Promise.withResolvers<string>();
  const stop = () => left.resolve("stopped before it was found out");
  const late = () => left.resolve(`nothing found out within ${LONGEST_STEP_MS / 1000} s`);
  const timer = signal === undefined ? undefined : setTimeout(late, LONGEST_STEP_MS);
  signal?.addEventListener("abort", stop);
  try {
    const why = await Promise.race([step().then(() => undefined), left.promise]);
    if (why !== undefined) tell(unknown(name, why));
  } catch (error) {
    // The permissions of the program itself are no finding.
    if (error instanceof Deno.errors.NotCapable) throw error;
    tell(unknown(name, `not found out: ${error instanceof Error ? error.message : String(error)}`));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
