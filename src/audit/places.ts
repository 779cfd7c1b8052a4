/*
 * Where instances go, as audit messages name it.
 */

import { pathToFileURL } from "node:url";
import type { DestinationConfig } from "../config/load.ts";
import type { Place } from "./events.ts";

/** A destination by its name; one that is not configured (any more) is its name alone. */
export function placeOf(destinations: readonly DestinationConfig[], name: string): Place {
  const settings = destinations.find((one) => one.name === name);
  if (settings === undefined) return { kind: "node", aeTitles: [], address: name };
  if (settings.type === "directory") {
    return { kind: "folder", aeTitles: [], address: pathToFileURL(settings.path).href };
  }
  return { kind: "node", aeTitles: [settings.aeTitle], address: settings.host };
}
