/*
 * What becomes of the routes that name a destination which is going to go.
 */

import { replacedInRoutes, routeCount, routesNaming, withoutInRoutes } from "./routes.ts";
import type { Screen } from "./screen.ts";
import { destinationsOf, type Settings, valueOf } from "./settings.ts";

/** The names that routes may have. */
export function destinationNames(settings: Settings): readonly string[] {
  return [
    ...(settings.pacs_host === undefined ? [] : ["pacs"]),
    ...destinationsOf(settings).flatMap(({ name }) => typeof name === "string" ? [name] : []),
    ...(valueOf(settings, "store_locally") === true ? ["archive"] : []),
  ];
}

/**
 * Says which routes name a destination that goes, and asks what to do.
 *
 * @param settings with the destination still in them
 * @returns the settings with routes that no longer name it; undefined where the destination is to stay
 */
export async function mendRoutes(
  screen: Screen,
  settings: Settings,
  name: string,
): Promise<Settings | undefined> {
  const naming = routesNaming(settings, name);
  if (naming.length === 0) return settings;
  screen.warn(
    `${
      naming.length === 1 ? "A route sends" : `${naming.length} routes send`
    } to "${name}" (routes say which image goes where):\n` +
      naming.map(({ number, what }) => `  route ${number}: ${what}`).join("\n"),
  );
  const emptied = naming.filter(({ only }) => only);
  const others = destinationNames(settings).filter((other) => other !== name);
  const next = await screen.choose(`What shall become of ${naming.length === 1 ? "it" : "them"}?`, [
    ...(others.length === 0
      ? []
      : [{ value: "replace" as const, label: "Send to another destination instead" }]),
    {
      value: "take" as const,
      label: `Take "${name}" out`,
      ...(emptied.length === 0 ? {} : {
        hint: `route ${emptied.map(({ number }) => number).join(", ")} goes: nothing is left in it`,
      }),
    },
    { value: "keep" as const, label: `Keep "${name}"` },
  ]);
  if (next === "keep") return undefined;
  if (next === "replace") {
    const other = await screen.choose(
      "To which one?",
      others.map((each) => ({ value: each, label: each })),
    );
    return replacedInRoutes(settings, name, other);
  }
  if (emptied.length === routeCount(settings)) {
    screen.warn("No route is left after this: every image then goes to every destination.");
    if (!await screen.yes("Is that right?", false)) return undefined;
  }
  return withoutInRoutes(settings, name);
}
