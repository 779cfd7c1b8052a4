/*
 * Waiting in tests, always with a limit and always with a sentence for the one who reads the failure.
 */

/** Time between two looks, in ms, where nothing can be awaited. */
const LOOK_MS = 15;

/**
 * Resolves when a condition holds. Only for what tells nobody when it changes.
 *
 * @param what completes "waited ... in vain for"
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  what: string | (() => string),
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!await condition()) {
    if (performance.now() > deadline) throw inVain(withinMs, what);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The promise's value, or an error when it takes too long. */
export async function within<T>(
  promise: Promise<T>,
  withinMs: number,
  what: string | (() => string),
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(inVain(withinMs, what)), withinMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets time go by: for tests of what must NOT happen, or of what comes at intervals. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function inVain(ms: number, what: string | (() => string)): Error {
  return new Error(`waited ${ms} ms in vain for ${typeof what === "string" ? what : what()}`);
}
