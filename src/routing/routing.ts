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

/** A condition of a route, held against an instance. */
export interface ConditionCheck {
  readonly what: "calling AE title" | "called AE title" | "modality" | "SOP class";
  readonly wanted: readonly string[];
  /** Without the spaces around; null where the data set has none. */
  readonly actual: string | null;
  readonly met: boolean;
}

/** A route, held against an instance. */
export interface RouteCheck {
  readonly matches: boolean;
  /** Every condition the route has, in the order of the configuration; none where it takes everything. */
  readonly conditions: readonly ConditionCheck[];
}

/** Why an instance goes where it goes. */
export interface RouteExplanation {
  /** Every route, in order, whether it is asked or not. */
  readonly routes: readonly RouteCheck[];
  /** Index of the route that decides; null where none does: no route matches, or there are none. */
  readonly decides: number | null;
  /** What `route` gives. */
  readonly destinations: readonly string[];
}

/** The same decision as `route`, with its reasons. */
export function explainRoute(
  facts: RoutingFacts,
  routes: readonly RouteConfig[],
  allDestinationNames: readonly string[],
): RouteExplanation {
  const checks = routes.map((each): RouteCheck => {
    const conditions = conditionsOf(facts, each).flatMap(([what, wanted, actual]) =>
      wanted === null
        ? []
        : [{ what, wanted, actual: actual?.trim() ?? null, met: meets(wanted, actual) }]
    );
    return { matches: conditions.every(({ met }) => met), conditions };
  });
  const decides = checks.findIndex((check) => check.matches);
  return {
    routes: checks,
    decides: decides === -1 ? null : decides,
    destinations: routes.length === 0 ? allDestinationNames : routes[decides]?.destinations ?? [],
  };
}

/** What a route asks of an instance: what it is called, what is wanted (null: anything), what is there. */
function conditionsOf(
  facts: RoutingFacts,
  route: RouteConfig,
): (readonly [ConditionCheck["what"], readonly string[] | null, string | null])[] {
  return [
    ["calling AE title", route.callingAeTitles, facts.callingAeTitle],
    ["called AE title", route.calledAeTitles, facts.calledAeTitle],
    ["modality", route.modalities, facts.modality],
    ["SOP class", route.sopClasses, facts.sopClassUid],
  ];
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
