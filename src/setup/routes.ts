/*
 * Routes and the destinations they name: what becomes of the ones when the others go or are called something else.
 *
 * A route left without a destination is taken out whole. Without any route everything goes everywhere, which is a larger
 * change than it looks: the questions say so. Pure.
 */

import { isSettings } from "../config/check.ts";
import { type Settings, withSetting } from "./settings.ts";

/** A route that names a destination. */
export interface NamingRoute {
  /** Its place in the file, from 1. */
  readonly number: number;
  /** What it is for, in words: `modalities CT, MR`. */
  readonly what: string;
  /** True where it names no other destination. */
  readonly only: boolean;
}

const CONDITIONS: Readonly<Record<string, string>> = {
  calling_ae_titles: "from",
  called_ae_titles: "sent to AE title",
  modalities: "modality",
  sop_classes: "SOP class",
};

/** The routes that send to a destination. */
export function routesNaming(settings: Settings, name: string): readonly NamingRoute[] {
  return routesOf(settings).flatMap((route, index) => {
    const names = namesOf(route);
    if (!names.includes(name)) return [];
    const only = names.every((one) => one === name);
    return [{ number: index + 1, what: describe(route), only }];
  });
}

/** The settings with a destination taken out of all routes. */
export function withoutInRoutes(settings: Settings, name: string): Settings {
  const left = routesOf(settings).flatMap((route) => {
    const names = namesOf(route);
    if (!names.includes(name)) return [route];
    const others = names.filter((one) => one !== name);
    return others.length === 0 ? [] : [{ ...route, destinations: others }];
  });
  return withSetting(settings, "routes", left.length === 0 ? undefined : left);
}

/** The settings with every route that names one destination naming another instead. */
export function replacedInRoutes(settings: Settings, name: string, other: string): Settings {
  if (routesNaming(settings, name).length === 0) return settings;
  const routes = routesOf(settings).map((route) => {
    const names = namesOf(route);
    if (!names.includes(name)) return route;
    return { ...route, destinations: [...new Set(names.map((one) => one === name ? other : one))] };
  });
  return withSetting(settings, "routes", routes);
}

/** True where there are routes, and none sends to this destination: it would get nothing. */
export function isForgotten(settings: Settings, name: string): boolean {
  return routesOf(settings).length > 0 && routesNaming(settings, name).length === 0;
}

/** How many routes there are. */
export function routeCount(settings: Settings): number {
  return routesOf(settings).length;
}

function routesOf(settings: Settings): readonly Settings[] {
  return Array.isArray(settings.routes) ? settings.routes.filter(isSettings) : [];
}

function namesOf(route: Settings): readonly string[] {
  return Array.isArray(route.destinations)
    ? route.destinations.filter((name) => typeof name === "string")
    : [];
}

function describe(route: Settings): string {
  const parts = Object.entries(CONDITIONS).flatMap(([key, word]) => {
    const values = route[key];
    return Array.isArray(values) ? [`${word} ${values.join(" or ")}`] : [];
  });
  return parts.length === 0 ? "everything" : parts.join(", ");
}
