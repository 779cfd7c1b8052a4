/*
 * The connection test inside the wizard: the real one of `echo`, step by step on the screen.
 */

import {
  type Config,
  ConfigError,
  configFrom,
  type DicomDestinationConfig,
} from "../config/load.ts";
import { testConnection } from "../dimse/try_connection.ts";
import type { Screen } from "./screen.ts";
import type { Settings } from "./settings.ts";

/**
 * The DICOM node that some settings make, with all its defaults.
 *
 * @param settings of which only what makes one destination is looked at
 * @param folder that relative paths start from
 * @returns undefined where they are not right
 */
export function nodeOf(
  settings: Settings,
  part: { readonly pacs: true } | { readonly destination: Settings },
  folder = "/",
): DicomDestinationConfig | undefined {
  const keys = ["local_ae_title", "local_port", "local_host"];
  if ("pacs" in part) keys.push("pacs_host", "pacs_port", "pacs_ae_title");
  const chosen = Object.entries(settings).filter(([key]) => keys.includes(key));
  if ("destination" in part) chosen.push(["destinations", [part.destination]]);
  let config: Config;
  try {
    config = configFrom(Object.fromEntries(chosen), folder);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
  const node = config.destinations[0];
  if (node?.type !== "dicom") return undefined;
  // "*" stands for the sender's title; a test has no sender but us.
  return node.callingAeTitle === "*" ? { ...node, callingAeTitle: config.localAeTitle } : node;
}

const STEP_NAMES = { connection: "Network", association: "DICOM", echo: "Echo" } as const;

/**
 * Tests a node and says how it went.
 *
 * @returns true where the node answered
 */
export async function showTest(screen: Screen, node: DicomDestinationConfig): Promise<boolean> {
  screen.say(`Calling ${node.aeTitle} at ${node.host} port ${node.port} ...`);
  const result = await testConnection(node.name, node, node.timeouts, screen.signal, (step) => {
    if (screen.signal.aborted) return;
    const words = `${STEP_NAMES[step.step]}: ${step.text} (${step.ms} ms)`;
    if (step.ok) screen.more(`ok      ${words}`);
    else screen.bad(`FAILED  ${words}`);
  });
  if (screen.signal.aborted) return false;
  if (result.ok) screen.good("The connection works.");
  else if (result.advice !== undefined) screen.more(result.advice);
  return result.ok;
}
