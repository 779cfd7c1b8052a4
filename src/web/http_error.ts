/*
 * A request that is answered with a status and one sentence, instead of what it asked for.
 */

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 500 | 503;

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: ErrorStatus;
  /** Seconds after which it may be tried again. */
  readonly retryAfter: number | undefined;

  /** @param message one sentence for people; no patient data, nothing secret */
  constructor(status: ErrorStatus, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The answer to it, as JSON. */
export function errorResponse(error: HttpError): Response {
  const headers: Record<string, string> = { "Cache-Control": "no-store" };
  if (error.retryAfter !== undefined) headers["Retry-After"] = String(Math.ceil(error.retryAfter));
  return Response.json({ error: error.message }, { status: error.status, headers });
}
