/*
 * The other side of a connection, scripted: a real loopback socket on which a test says byte by byte what happens.
 *
 * Owns one socket. It interprets nothing but the six bytes of a PDU header; every wait has a limit, so that a test whose
 * peer stays silent fails with a sentence instead of hanging.
 */

import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { concat } from "../../src/dicom/bytes.ts";

/** How long a scripted step may take, in ms. */
const PATIENCE_MS = 5_000;

/** A PDU as it came: type and variable field (PS3.8 §9.3.1). */
export interface RawPdu {
  readonly type: number;
  readonly body: Uint8Array;
}

export class Peer {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #ended = false;
  /** `end` for a FIN, an error code such as `ECONNRESET` for anything else. */
  ending = "";
  #wake: () => void = () => {};
  readonly #over = Promise.withResolvers<void>();
  /** How long a step may take, in ms. */
  patienceMs = PATIENCE_MS;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(Uint8Array.from(chunk));
      this.#length += chunk.length;
      this.#wake();
    });
    socket.on("end", () => this.#end("end"));
    socket.on(
      "error",
      (error: Error & { code?: string }) => this.#end(error.code ?? error.message),
    );
    socket.on("close", () => this.#end("close"));
  }

  /** @param localAddress one of this machine's own, to be another host in the listener's eyes */
  static async connect(port: number, localAddress?: string): Promise<Peer> {
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connectSocket({ port, host: "127.0.0.1", allowHalfOpen: true, ...from });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Peer(socket);
  }

  #end(how: string): void {
    if (this.ending === "") this.ending = how;
    this.#ended = true;
    this.#over.resolve();
    this.#wake();
  }

  /** Resolves when the other side has ended its direction, or the connection is gone. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Bytes that have arrived and were not asked for yet. */
  get waiting(): number {
    return this.#length;
  }

  /** Stops taking bytes from the network: the other side's writes stall once the buffers are full. */
  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  async #until(done: () => boolean, what: string, withinMs = this.patienceMs): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!done()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`peer waited ${withinMs} ms in vain for ${what}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Exactly so many bytes; throws where the connection ends before. */
  async receive(length: number): Promise<Uint8Array> {
    await this.#until(() => this.#length >= length || this.#ended, `${length} bytes`);
    if (this.#length < length) {
      throw new Error(`connection ended (${this.ending}) ${this.#length} bytes into ${length}`);
    }
    const all = concat(this.#chunks);
    this.#chunks = [all.slice(length)];
    this.#length -= length;
    return all.slice(0, length);
  }

  /** The next PDU, whole. */
  async receivePdu(): Promise<RawPdu> {
    const header = await this.receive(6);
    const length = new DataView(header.buffer).getUint32(2);
    return { type: header[0]!, body: await this.receive(length) };
  }

  /** The next PDU, which must be of this type. */
  async expectPdu(type: number): Promise<Uint8Array> {
    const pdu = await this.receivePdu();
    if (pdu.type !== type) throw new Error(`PDU of type ${pdu.type} came, ${type} was wanted`);
    return pdu.body;
  }

  /** Waits for the other side to close and gives what it sent before. */
  async receiveRest(withinMs = this.patienceMs): Promise<Uint8Array> {
    await this.#until(() => this.#ended, "the connection to be closed", withinMs);
    const rest = concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return rest;
  }

  /** Hands bytes to the system. Resolves when it has taken them. */
  send(...pieces: Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = pieces.length === 1 ? pieces[0]! : concat(pieces);
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  /** Sends one byte at a time, each handed to the system by itself. */
  async sendByteByByte(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) await this.send(Uint8Array.of(byte));
  }

  /** Ends our direction (FIN), keeps reading. */
  finish(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  /** Cuts the connection with a reset (RST). */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Gone. */
  close(): void {
    this.#socket.destroy();
  }
}

/** A listener for scripted peers, or for anything that wants the plain socket. */
export class PeerListener {
  readonly #server: Server;
  readonly #arrived: Peer[] = [];
  #wanted: ((peer: Peer) => void) | undefined;
  readonly port: number;

  private constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not a TCP listener");
    this.port = address.port;
    server.on("connection", (socket) => {
      const peer = new Peer(socket);
      if (this.#wanted === undefined) this.#arrived.push(peer);
      else this.#wanted(peer);
      this.#wanted = undefined;
    });
  }

  static async listen(): Promise<PeerListener> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PeerListener(server);
  }

  accept(): Promise<Peer> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#wanted = resolve);
  }

  async close(): Promise<void> {
    for (const peer of this.#arrived) peer.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
