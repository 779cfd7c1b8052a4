/*
 * Requests to the forwarder's API. A change carries the token of the session, without which it is refused. Errors are
 * sentences to be shown.
 */

/** An answer other than success: what was asked, and what was said. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const BASE = "/api/v1/";
let token = "";
let whenLoggedOut = () => {};

/** Calls it when an answer says that a password is needed. */
export function onLoggedOut(listener) {
  whenLoggedOut = listener;
}

/** Asks who we are: whether a password is needed, and the token for changes. */
export async function session() {
  const answer = await get("session");
  token = answer.csrf;
  return answer;
}

/** GET, with the query's empty values left out. */
export async function get(path, query = {}, signal = undefined) {
  return await (await request("GET", address(path, query), undefined, signal)).json();
}

/** POST of JSON: the answer, null where it has none. */
export async function post(path, body = {}) {
  let answer;
  try {
    answer = await request("POST", address(path, {}), body, undefined);
  } catch (error) {
    if (error.status !== 403) throw error;
    // The token is of another start of the forwarder: a new one is asked for, once.
    await session();
    answer = await request("POST", address(path, {}), body, undefined);
  }
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

/** Where something is, for a link. */
export function address(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined && value !== null && value !== false) {
      words.set(name, String(value));
    }
  }
  const text = words.toString();
  return BASE + path + (text === "" ? "" : `?${text}`);
}

/** A path of parts, each made harmless. */
export function path(...parts) {
  return parts.map(encodeURIComponent).join("/");
}

async function request(method, url, body, signal) {
  const headers = { accept: "application/json" };
  if (method !== "GET") {
    headers["x-csrf-token"] = token;
    headers["content-type"] = "application/json";
  }
  const asked = { method, headers, credentials: "same-origin", cache: "no-store", signal };
  if (body !== undefined) asked.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(url, asked);
  } catch {
    throw new ApiError(0, "The forwarder does not answer.");
  }
  if (answer.ok) return answer;
  const said = await reason(answer);
  if (answer.status === 401 && !url.startsWith(`${BASE}login`)) whenLoggedOut();
  throw new ApiError(answer.status, said);
}

async function reason(answer) {
  try {
    const { error } = await answer.json();
    if (typeof error === "string" && error !== "") return error;
  } catch {
    // Not JSON: the status alone has to do.
  }
  return `The forwarder answered ${answer.status} ${answer.statusText}`.trim() + ".";
}
