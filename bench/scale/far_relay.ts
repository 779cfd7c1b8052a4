/*
 * A far network, made of two queues: a relay that hands every byte on after half a round trip.
 *
 * The kernel's netem is not in every kernel and asks for root; this needs neither. It delays, and does nothing else: no
 * loss, no limit of bandwidth, and TCP's own start-up is that of loopback on both sides. What is measured through it is
 * the cost of waiting for answers. A connection that could not be made or breaks ends the other side's, too.
 */

/** Bytes under way in one direction of a connection, at most: above it the relay reads no further. */
const MOST_UNDER_WAY = 64 * 1024 * 1024;

const PIECE = 256 * 1024;

interface Piece {
  /** By performance.now(). */
  readonly dueAt: number;
  /** Undefined for the end of the stream. */
  readonly bytes: Uint8Array | undefined;
}

export class FarRelay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #targetPort: number;
  readonly #oneWayMs: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<void>>();
  /** Connections taken so far. */
  connections = 0;

  /**
   * @param targetPort of 127.0.0.1, where what comes goes to
   * @param roundTripMs there and back
   */
  constructor(targetPort: number, roundTripMs: number) {
    this.#targetPort = targetPort;
    this.#oneWayMs = roundTripMs / 2;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of [...this.#open]) this.#close(connection);
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      this.connections++;
      const run = this.#relay(near).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  async #relay(near: Deno.TcpConn): Promise<void> {
    this.#open.add(near);
    // The caller was told at once that it is connected; over a far network it would have been a round trip later.
    const connectedAt = performance.now() + 2 * this.#oneWayMs;
    let far: Deno.TcpConn | undefined;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.#targetPort });
      this.#open.add(far);
      near.setNoDelay(true);
      far.setNoDelay(true);
      await Promise.all([this.#pump(near, far, connectedAt), this.#pump(far, near, connectedAt)]);
    } catch {
      // Broken off by either side: the other one sees the same.
    } finally {
      this.#close(near);
      if (far !== undefined) this.#close(far);
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  /** One direction: reads as bytes come, hands each piece on when it is due. */
  async #pump(from: Deno.TcpConn, to: Deno.TcpConn, notBefore: number): Promise<void> {
    const line: Piece[] = [];
    let underWay = 0;
    let wakeReader = () => {};
    let wakeWriter = () => {};
    const read = async () => {
      for (let ended = false; !ended;) {
        while (underWay >= MOST_UNDER_WAY) {
          await new Promise<void>((resolve) => wakeReader = resolve);
        }
        const buffer = new Uint8Array(PIECE);
        const got = await from.read(buffer).catch(() => null);
        ended = got === null;
        const bytes = got === null ? undefined : buffer.subarray(0, got);
        underWay += bytes?.length ?? 0;
        line.push({ dueAt: Math.max(performance.now(), notBefore) + this.#oneWayMs, bytes });
        wakeWriter();
      }
    };
    const write = async () => {
      for (;;) {
        const piece = line.shift();
        if (piece === undefined) {
          await new Promise<void>((resolve) => wakeWriter = resolve);
          continue;
        }
        const wait = piece.dueAt - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        if (piece.bytes === undefined) return to.closeWrite();
        for (let at = 0; at < piece.bytes.length;) at += await to.write(piece.bytes.subarray(at));
        underWay -= piece.bytes.length;
        wakeReader();
      }
    };
    await Promise.all([read(), write()]);
  }
}
