/*
 * The port that is listened on, or why it cannot be had.
 */

/** The port to listen on cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Listens on a port.
 *
 * @param port 0 = any free one
 * @throws {ListenError} that says what to do about it
 */
export function listenOn(
  host: string,
  port: number,
  portSetting = "local_port",
  hostSetting = "local_host",
): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const why = error instanceof Deno.errors.AddrInUse
      ? `another program listens on it; stop that one, or set another ${portSetting}`
      : error instanceof Deno.errors.PermissionDenied
      ? "this user may not; ports below 1024 need the right to"
      : error instanceof Deno.errors.AddrNotAvailable
      ? `no network interface has that address; set another ${hostSetting}`
      : message;
    throw new ListenError(`Cannot listen on ${host}, port ${port}: ${why}`, { cause: error });
  }
}
