/*
 * Which destinations an instance goes to.
 *
 * Pure: facts and routes in, names out. It never looks at the network, the clock or the state of a destination, so
 * that asking again after a restart gives the same answer. "Nowhere" is an answer, not an error: the caller keeps such
 * an instance where a person can see it.
 */

import type { RouteConfig } from "../config/load.ts";

/** What routes may ask about. AE titles with or without padding spaces. */
export interface RoutingFacts {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly sopClassUid: string;
  /** Modality (0008,0060), null where the data set has none. */
  readonly modality: string | null;
}

/**
 * Names of the destinations, in the order the route gives them; empty where there are routes and none matches.
 *
 * Every condition a route has must be met, each by one of its values. The first route that matches decides alone.
 * Without routes, everything goes everywhere.
 *
 * @param allDestinationNames the names of all configured destinations
 */
export function route(
  facts: RoutingFacts,
  routes: readonly RouteConfig[],
  allDestinationNames: readonly string[],
): readonly string[] {
  if (routes.length === 0) return allDestinationNames;
  return routes.find((each) => matches(facts, each))?.destinations ?? [];
}

function matches(facts: RoutingFacts, route: RouteConfig): boolean {
  return meets(route.callingAeTitles, facts.callingAeTitle) &&
    meets(route.calledAeTitles, facts.calledAeTitle) &&
    meets(route.modalities, facts.modality) &&
    meets(route.sopClasses, facts.sopClassUid);
}

/** Exact but for the spaces around, which mean nothing in an AE title and a code string (PS3.5 §6.2). */
function meets(wanted: readonly string[] | null, actual: string | null): boolean {
  return wanted === null || (actual !== null && wanted.includes(actual.trim()));
}
