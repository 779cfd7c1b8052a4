/*
 * The ports that images come in by: the plain one, the one for TLS, or both.
 *
 * Owns what is listened on, from before the spool is opened until the receiver has it, and the change to other TLS settings
 * while it runs. Nothing is served with TLS whose certificates cannot be used, or that lets strangers in.
 */

import type { Config } from "../config/load.ts";
import type { ServerTlsConfig } from "../config/tls.ts";
import { getLog } from "../log.ts";
import type { Receiver } from "../receiver/receiver.ts";
import { TlsListener } from "../ul/tls_listener.ts";
import { LiveCredentials, TlsError } from "../tls/credentials.ts";
import { ListenError, listenOn } from "./listen.ts";
import { testOwnPort } from "./tls_self_test.ts";

const log = getLog("daemon");

export class Ports {
  readonly #plain: Deno.TcpListener | undefined;
  #tls: TlsListener | undefined;
  #settings: ServerTlsConfig | null;

  private constructor(
    plain: Deno.TcpListener | undefined,
    tls: TlsListener | undefined,
    settings: ServerTlsConfig | null,
  ) {
    this.#plain = plain;
    this.#tls = tls;
    this.#settings = settings;
  }

  /**
   * Listens, and serves nobody yet.
   *
   * @throws {ListenError} where a port cannot be had
   * @throws {TlsError} where certificates cannot be used, or the TLS port lets strangers in
   */
  static async open({ localHost, localPort, tls }: Config): Promise<Ports> {
    const plain = tls?.only === true ? undefined : listenOn(localHost, localPort);
    try {
      const secured = tls === null ? undefined : await openTls(tls);
      return new Ports(plain, secured, tls);
    } catch (error) {
      plain?.close();
      throw error;
    }
  }

  /** The port that is told: the plain one where there is one. */
  get port(): number {
    return (this.#plain ?? this.#tls)!.addr.port;
  }

  get tlsPort(): number | undefined {
    return this.#tls?.addr.port;
  }

  /** Whether the plain port is listened on. */
  get isPlain(): boolean {
    return this.#plain !== undefined;
  }

  /** What the TLS port shows and trusts. */
  get credentials(): LiveCredentials | undefined {
    return this.#tls?.credentials;
  }

  /**
   * `host:port` of all that is listened on.
   *
   * @param port of the plain one, which may have changed
   */
  listening({ localHost }: Config, port: number): string[] {
    const secured = this.#tls === undefined
      ? []
      : [`${this.#tls.addr.hostname}:${this.#tls.addr.port} (TLS)`];
    return [...this.isPlain ? [`${localHost}:${port}`] : [], ...secured];
  }

  serve(receiver: Receiver): void {
    if (this.#plain !== undefined) receiver.serve(this.#plain);
    if (this.#tls !== undefined) receiver.serve(this.#tls, "tls");
  }

  /** For a start that is not completed. */
  close(): void {
    this.#plain?.close();
    this.#tls?.close();
  }

  /**
   * Other TLS settings while it runs. The new port is listened on before the old one is left.
   *
   * @returns in words why not, where what was in force stays so; null where all is well
   */
  async change(wanted: ServerTlsConfig | null, receiver: Receiver): Promise<string | null> {
    if (this.#plain === undefined !== (wanted?.only === true)) {
      return "tls.only takes effect at the next start; tls stays as it was until then";
    }
    try {
      if (wanted === null) {
        await receiver.leave("tls");
        this.#tls = undefined;
      } else if (this.#tls !== undefined && this.#isSamePlace(wanted)) {
        this.#tls.configure(wanted, new LiveCredentials(wanted));
      } else {
        const tls = await openTls(wanted);
        receiver.serve(tls, "tls");
        this.#tls = tls;
        log.info("Listening with TLS", { listening: `${wanted.host}:${tls.addr.port}` });
      }
      this.#settings = wanted;
      return null;
    } catch (error) {
      if (error instanceof TlsError || error instanceof ListenError) {
        return `${error.message}. tls stays as it was`;
      }
      throw error;
    }
  }

  #isSamePlace(wanted: ServerTlsConfig): boolean {
    return wanted.host === this.#settings?.host &&
      (wanted.port === this.#settings.port || wanted.port === this.tlsPort);
  }
}

async function openTls(settings: ServerTlsConfig): Promise<TlsListener> {
  const credentials = new LiveCredentials(settings);
  const tcp = listenOn(settings.host, settings.port, "tls.port", "tls.host");
  const listener = new TlsListener(tcp, settings, credentials);
  try {
    const { hostname, port } = tcp.addr;
    const any = { "0.0.0.0": "127.0.0.1", "::": "::1" }[hostname];
    await testOwnPort(listener, { hostname: any ?? hostname, port }, settings);
    listener.tellsFailures = true;
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}
