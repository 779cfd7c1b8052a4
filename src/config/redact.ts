/*
 * A configuration as it may be shown: complete, with every secret replaced.
 *
 * Owns which settings are secret. Works on any object that has the names of a configuration, written (`password_hash`) or
 * resolved (`passwordHash`), so that a setting added later is hidden by its name. Pure; changes nothing it is given.
 */

/** Stands where a secret is. */
export const NOT_SHOWN = "(not shown)";

/** Names of settings that are secret whatever they hold. */
const SECRET = /pass|secret|token|credential|private|api_?key|pin$/i;

/** Settings whose every value is secret, and whose names are not. */
const SECRET_VALUES = /^headers$/i;

/** The settings with secrets replaced: values by name, the values of headers, and of addresses what may carry a key. */
export function redact(config: object): Record<string, unknown> {
  return redactedObject(config, false);
}

/**
 * An address without what may be secret: user, password, query, fragment, and a path, which is the key of many webhooks.
 *
 * @param url any text; what is no address is not shown at all
 */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return NOT_SHOWN;
  const { origin, pathname, search, hash, username, password } = new URL(url);
  const bare = pathname === "/" && search === "" && hash === "" && username === "" &&
    password === "";
  return bare ? url : `${origin}/${NOT_SHOWN}`;
}

function redactedObject(value: object, all: boolean): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, redacted(key, part, all)]),
  );
}

function redacted(key: string, value: unknown, all: boolean): unknown {
  if (value === null || value === undefined) return value;
  if (all || SECRET.test(key)) return NOT_SHOWN;
  if (Array.isArray(value)) return value.map((part) => redacted(key, part, false));
  if (typeof value === "object") return redactedObject(value, SECRET_VALUES.test(key));
  return key === "url" && typeof value === "string" ? redactUrl(value) : value;
}
