/*
 * The table of the HTTP API's operations.
 *
 * Owns which there are and what each hands to `Control`; who may call them is decided before. A GET never changes anything.
 * Every change is logged with who made it; no patient data is in an address or in these lines.
 */

import {
  actionResult,
  connectionResult,
  itemDetails,
  overview,
  queuePage,
  reloadResult,
  studyList,
  throughput,
} from "../control/views.ts";
import type { Control, ItemAction, ItemSelection, Person } from "../control/control.ts";
import { getLog } from "../log.ts";
import type { Access, Caller } from "./access.ts";
import { HttpError } from "./http_error.ts";
import { type Route, route } from "./route.ts";
import {
  alarmsView,
  configurationView,
  destinationParams,
  doneView,
  itemName,
  itemSelection,
  loginBody,
  logSearch,
  logView,
  nothing,
  queueSearch,
  sessionView,
  studySearch,
} from "./shapes.ts";

const log = getLog("web");

/** What the operations work with. */
export interface ApiParts {
  readonly control: Control;
  readonly access: Access;
  /** Opens a stream of events. */
  readonly subscribe: (caller: Caller) => Response;
}

/** Every operation, but for the description of them all. */
export function apiRoutes(parts: ApiParts): Route[] {
  return [
    ...sessionRoutes(parts),
    ...lookRoutes(parts),
    ...queueRoutes(parts),
    ...destinationRoutes(parts),
    ...otherChanges(parts),
  ];
}

function sessionRoutes({ access }: ApiParts): Route[] {
  return [
    route({
      method: "get",
      path: "/session",
      summary: "How the one who asks stands, and the token that changes need",
      open: true,
      answer: sessionView,
      run: ({ caller }) => access.view(caller),
    }),
    route({
      method: "post",
      path: "/login",
      summary: "Begin a session with the password",
      open: true,
      body: loginBody,
      answer: sessionView,
      errors: [404, 429, 503],
      run: ({ caller, body, headers }) => access.login(caller, body.password, headers),
    }),
    route({
      method: "post",
      path: "/logout",
      summary: "End the session",
      open: true,
      body: nothing,
      answer: doneView,
      run: ({ caller, headers }) => {
        access.logout(caller, headers);
        return { ok: true as const };
      },
    }),
  ];
}

function lookRoutes({ control, subscribe }: ApiParts): Route[] {
  return [
    route({
      method: "get",
      path: "/overview",
      summary: "How the forwarder is",
      answer: overview,
      run: () => control.overview(),
    }),
    route({
      method: "get",
      path: "/throughput",
      summary: "Received and delivered over the last minutes",
      answer: throughput,
      run: () => control.throughput(),
    }),
    route({
      method: "get",
      path: "/studies",
      summary: "Studies that come in or go out, the latest first; or those that match a search",
      query: studySearch,
      answer: studyList,
      run: ({ query }) => control.studies(query),
    }),
    route({
      method: "get",
      path: "/log",
      summary: "The last lines of the log, oldest first",
      query: logSearch,
      answer: logView,
      run: ({ query }) => ({ lines: control.log(query.limit) }),
    }),
    route({
      method: "get",
      path: "/configuration",
      summary: "The configuration in force, without secrets",
      answer: configurationView,
      run: () => ({ configuration: control.configuration() }),
    }),
    route({
      method: "get",
      path: "/alarms",
      summary: "What needs a person now",
      answer: alarmsView,
      run: () => ({ alarms: control.alarms() }),
    }),
    route({
      method: "get",
      path: "/events",
      summary:
        "Server-sent events: overview (Overview), throughput (Throughput, new steps only), " +
        "studies (StudyList, the latest 50), each when it has changed, once a second at most",
      answer: "text/event-stream",
      errors: [503],
      run: ({ caller }) => subscribe(caller),
    }),
  ];
}

const ACTIONS: readonly (readonly [ItemAction, string])[] = [
  ["retry", "Try at once; what failed is put back into the queue"],
  ["hold", "Hold back until released"],
  ["release", "Let go on what was held back"],
  ["remove", "Delete for good, undelivered"],
];

function queueRoutes({ control }: ApiParts): Route[] {
  const actions = ACTIONS.map(([action, summary]) =>
    route({
      method: "post",
      path: `/queue/${action}`,
      summary,
      body: itemSelection,
      answer: actionResult,
      run: async ({ body, by }) => {
        const result = await control.act(action, body, by);
        told(`Queue: ${action}`, by, { ...scope(body), done: result.done });
        return result;
      },
    })
  );
  return [
    route({
      method: "get",
      path: "/queue",
      summary: "What waits, failed, or is held back, oldest first, a page at a time",
      query: queueSearch,
      answer: queuePage,
      run: ({ query }) => control.queue(query),
    }),
    route({
      method: "get",
      path: "/queue/{id}/{destination}",
      summary: "One instance for one destination, in full",
      params: itemName,
      answer: itemDetails,
      errors: [404],
      run: async ({ params }) => await control.item(params) ?? noItem(),
    }),
    route({
      method: "get",
      path: "/queue/{id}/{destination}/file",
      summary: "The stored DICOM file",
      params: itemName,
      answer: "application/dicom",
      errors: [404],
      run: async ({ params, by }) => {
        const { size, body } = await control.download(params, by) ?? noItem();
        told("Instance downloaded", by, { entry: params.id });
        return new Response(body, {
          headers: {
            "Content-Type": "application/dicom",
            "Content-Length": String(size),
            "Content-Disposition": `attachment; filename="${fileName(params.id)}"`,
            "Cache-Control": "no-store",
          },
        });
      },
    }),
    ...actions,
  ];
}

/** Nothing but numbers: time of receipt and sequence. */
function fileName(id: string): string {
  const numbers = /^\d+-\d+/.exec(id)?.[0];
  return numbers === undefined ? "instance.dcm" : `${numbers}.dcm`;
}

function noItem(): never {
  throw new HttpError(404, "There is no such instance: it has been delivered or removed.");
}

/** What an action was for, without anything that leads to a patient. */
function scope(selection: ItemSelection): Record<string, unknown> {
  if ("items" in selection) return { items: selection.items.length };
  if ("destination" in selection) {
    return { state: selection.state, destination: selection.destination };
  }
  return { state: selection.state, study: selection.study };
}

function destinationRoutes({ control }: ApiParts): Route[] {
  const switching = (
    verb: "pause" | "resume" | "try",
    summary: string,
    run: (name: string, by: Person) => Promise<boolean>,
  ) =>
    route({
      method: "post",
      path: `/destinations/{name}/${verb}`,
      summary,
      params: destinationParams,
      body: nothing,
      answer: doneView,
      errors: [404],
      run: async ({ params: { name }, by }) => {
        if (!await run(name, by)) noDestination();
        told(`Destination: ${verb}`, by, { destination: name });
        return { ok: true as const };
      },
    });
  return [
    switching("pause", "Send nothing more until resumed", (name, by) => control.pause(name, by)),
    switching("resume", "Send again", (name, by) => control.resume(name, by)),
    switching("try", "Forget the back-off and try at once", (name, by) => control.tryNow(name, by)),
    route({
      method: "post",
      path: "/destinations/{name}/test",
      summary: "Test the connection: C-ECHO, or a file written and removed again",
      params: destinationParams,
      body: nothing,
      answer: connectionResult,
      errors: [404],
      run: async ({ params: { name }, by, signal }) => {
        const result = await control.test(name, signal) ?? noDestination();
        told("Destination: test", by, { destination: name, ok: result.ok });
        return result;
      },
    }),
  ];
}

function noDestination(): never {
  throw new HttpError(404, "There is no such destination in the configuration.");
}

function otherChanges({ control }: ApiParts): Route[] {
  return [
    route({
      method: "post",
      path: "/reload",
      summary: "Apply the configuration file as it is now",
      body: nothing,
      answer: reloadResult,
      run: async ({ by }) => {
        const result = await control.reload(by);
        told("Configuration: reload", by, { ok: result.ok });
        return result;
      },
    }),
    route({
      method: "post",
      path: "/alarms/test",
      summary: "Send a test alarm through every channel",
      body: nothing,
      answer: connectionResult,
      run: async ({ by }) => {
        const result = await control.testAlarms();
        told("Alarms: test", by, { ok: result.ok });
        return result;
      },
    }),
  ];
}

function told(what: string, by: Person, more: Record<string, unknown>): void {
  log.info("{what} by {by}", { what, by, ...more });
}
