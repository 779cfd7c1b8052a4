/*
 * What most sites never touch: when images are sent, how often a refused one is tried, who opens the status page, more
 * destinations.
 */

import { askDestinations } from "./destination_questions.ts";
import { askPage, pageText } from "./page_questions.ts";
import type { Screen } from "./screen.ts";
import {
  destinationsOf,
  type Settings,
  textOf,
  typedNumber,
  valueOf,
  wantedAt,
  withSetting,
} from "./settings.ts";

/** Shows the advanced settings until the person has done with them. */
export async function askAdvanced(
  screen: Screen,
  settings: Settings,
  folder: string,
): Promise<Settings> {
  let changed = settings;
  for (;;) {
    const next = await screen.choose("Advanced settings", [
      { value: "done", label: "Done" },
      { value: "when", label: `When images are sent: ${whenText(changed)}` },
      {
        value: "retries",
        label: `Tries for a refused image: ${textOf(changed, "retry_attempts")}`,
      },
      { value: "page", label: `Status page: ${pageText(changed)}` },
      { value: "more", label: `More destinations: ${destinationsOf(changed).length || "none"}` },
    ]);
    if (next === "done") return changed;
    if (next === "when") changed = await askWhen(screen, changed, folder);
    else if (next === "page") changed = await askPage(screen, changed, folder);
    else if (next === "more") changed = await askDestinations(screen, changed, folder);
    else {
      const answer = await screen.line(
        "How often to try an image that the PACS refuses (an outage costs none)",
        textOf(changed, "retry_attempts"),
        (typed) =>
          wantedAt({ ...changed, retry_attempts: typedNumber(typed) }, folder, "retry_attempts"),
      );
      changed = withSetting(changed, "retry_attempts", typedNumber(answer));
    }
  }
}

function whenText(settings: Settings): string {
  return valueOf(settings, "forward_immediately") === false
    ? `${textOf(settings, "study_quiet_seconds")} s after a study's last image`
    : "at once";
}

async function askWhen(screen: Screen, settings: Settings, folder: string): Promise<Settings> {
  const held = valueOf(settings, "forward_immediately") === false;
  const when = await screen.choose("When shall images be sent?", [
    { value: "once", label: "At once, each as it comes" },
    { value: "quiet", label: "When the study is complete: no new image for a while" },
  ], held ? "quiet" : "once");
  const changed = withSetting(settings, "forward_immediately", when === "once");
  if (when === "once") return changed;
  const answer = await screen.line(
    "Seconds without a new image until the study is sent",
    textOf(changed, "study_quiet_seconds"),
    (typed) =>
      wantedAt(
        { ...changed, study_quiet_seconds: typedNumber(typed) },
        folder,
        "study_quiet_seconds",
      ),
  );
  return withSetting(changed, "study_quiet_seconds", typedNumber(answer));
}
