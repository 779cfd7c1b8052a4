/*
 * How images reach the forwarder: its AE title and its port.
 */

import { portState, type Running } from "./port.ts";
import type { Screen } from "./screen.ts";
import { type Settings, textOf, typedNumber, wantedAt, withSetting } from "./settings.ts";

/** Asks for the receiver's settings. */
export async function askReceiver(
  screen: Screen,
  settings: Settings,
  folder: string,
  running: Running | undefined,
): Promise<Settings> {
  const aeTitle = await screen.line(
    "AE title of this forwarder (its DICOM name; senders enter it)",
    textOf(settings, "local_ae_title"),
    (typed) => wantedAt({ ...settings, local_ae_title: typed }, folder, "local_ae_title"),
  );
  const named = withSetting(settings, "local_ae_title", aeTitle);
  return await askPort(screen, named, folder, running);
}

async function askPort(
  screen: Screen,
  settings: Settings,
  folder: string,
  running: Running | undefined,
): Promise<Settings> {
  let changed = settings;
  for (;;) {
    const answer = await screen.line(
      "Port that senders connect to",
      textOf(changed, "local_port"),
      (typed) => wantedAt({ ...changed, local_port: typedNumber(typed) }, folder, "local_port"),
    );
    changed = withSetting(changed, "local_port", typedNumber(answer));
    if (await isPortFine(screen, changed, Number(answer), running)) return changed;
  }
}

/** Shows how the port is. False where the person wants another. */
async function isPortFine(
  screen: Screen,
  settings: Settings,
  port: number,
  running: Running | undefined,
): Promise<boolean> {
  for (;;) {
    const state = portState(textOf(settings, "local_host"), port, running);
    if (state.kind !== "trouble") {
      screen.good(
        state.kind === "free"
          ? `Port ${port} is free.`
          : `Port ${port} is in use by the forwarder itself, which is running: fine.`,
      );
      return true;
    }
    screen.warn(state.why);
    const next = await screen.choose("What now?", [
      { value: "other", label: "Enter another port" },
      { value: "again", label: "Check this one again" },
      { value: "keep", label: `Keep port ${port} all the same` },
    ]);
    if (next !== "again") return next === "keep";
  }
}
