/*
 * A mail server in the test's own process: speaks as much of SMTP (RFC 5321) as a client needs, keeps every mail, and fails
 * as a test wants it to.
 *
 * STARTTLS (RFC 3207) is done by a listener for TLS beside it, to which the connection is handed through.
 */

import type { CertificateFiles } from "./certificates.ts";
import { until } from "./until.ts";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Header and body as they came, lines ending in "\n". */
  readonly text: string;
  readonly encrypted: boolean;
  /** `user password`; undefined where nobody logged in. */
  readonly login: string | undefined;
}

export interface SmtpServerOptions {
  readonly port?: number;
  /** With STARTTLS where there is a certificate, or TLS from the first byte. */
  readonly certificate?: CertificateFiles;
  readonly tls?: boolean;
  /** Whom it lets in; absent, it offers no login. */
  readonly login?: { readonly user: string; readonly password: string };
  /**
   * What is said to a command instead of what would be: a line, silence for ever, or the end of the connection. `GREETING`
   * stands for the connection itself, `MAIL-TEXT` for the end of a mail.
   */
  readonly answer?: (command: string) => string | "hang" | "close" | undefined;
}

type Connection = Deno.TcpConn | Deno.TlsConn;

export class SmtpServer implements AsyncDisposable {
  readonly port: number;
  readonly mails: ReceivedMail[] = [];
  /** Connections so far. */
  connections = 0;
  /** Commands so far, without what they carry. */
  readonly commands: string[] = [];
  answer: SmtpServerOptions["answer"];
  readonly #options: SmtpServerOptions;
  readonly #listener: Deno.TcpListener | Deno.TlsListener;
  readonly #inner: Deno.TlsListener | undefined;
  readonly #open = new Set<Connection>();
  readonly #running: Promise<void>[] = [];
  readonly #gone = Promise.withResolvers<void>();

  constructor(options: SmtpServerOptions = {}) {
    const { certificate, tls = false, port = 0 } = options;
    this.#options = options;
    this.answer = options.answer;
    const pem = certificate === undefined ? undefined : {
      cert: Deno.readTextFileSync(certificate.certificate),
      key: Deno.readTextFileSync(certificate.key),
    };
    const at = { hostname: "127.0.0.1", port };
    this.#listener = tls && pem !== undefined ? Deno.listenTls({ ...at, ...pem }) : Deno.listen(at);
    this.#inner = pem === undefined || tls
      ? undefined
      : Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pem });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#running.push(
      this.#accept(this.#listener, (one) => {
        this.connections++;
        return this.#serve(one, tls, true);
      }),
    );
    if (this.#inner !== undefined) {
      this.#running.push(this.#accept(this.#inner, (one) => this.#serve(one, true, false)));
    }
  }

  /** Waits until so many mails have come. */
  async received(count: number, withinMs = 20_000): Promise<readonly ReceivedMail[]> {
    await until(
      () => this.mails.length >= count,
      withinMs,
      () => `${count} mails, ${this.mails.length} have come; commands: ${this.commands.join(" ")}`,
    );
    return this.mails;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone.resolve();
    this.#listener.close();
    this.#inner?.close();
    for (const one of this.#open) close(one);
    await Promise.all(this.#running);
  }

  async #accept(
    listener: Deno.TcpListener | Deno.TlsListener,
    serve: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      let connection: Connection;
      try {
        connection = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return;
        }
        // A handshake that the client broke off.
        continue;
      }
      this.#open.add(connection);
      this.#running.push(
        serve(connection).catch(() => {}).finally(() => {
          this.#open.delete(connection);
          close(connection);
        }),
      );
    }
  }

  async #serve(connection: Connection, encrypted: boolean, greets: boolean): Promise<void> {
    const lines = new Lines(connection);
    const say = (line: string) => lines.write(`${line}\r\n`);
    /** False where the connection is to end. */
    const reply = async (command: string, usual: string): Promise<boolean> => {
      const told = this.answer?.(command) ?? usual;
      if (told === "hang") {
        await this.#gone.promise;
        return false;
      }
      if (told === "close") return false;
      await say(told);
      return !/^421/.test(told);
    };
    if (greets && !await reply("GREETING", "220 mail.test ESMTP")) return;
    let from = "";
    let to: string[] = [];
    let login: string | undefined;
    for (;;) {
      const line = await lines.read();
      if (line === undefined) return;
      const command = line.split(/[ :]/)[0]!.toUpperCase();
      this.commands.push(command);
      switch (command) {
        case "EHLO": {
          const offers = [
            "mail.test",
            ...(this.#inner !== undefined && !encrypted ? ["STARTTLS"] : []),
            ...(this.#options.login === undefined ? [] : ["AUTH PLAIN LOGIN"]),
            "8BITMIME",
          ];
          const text = offers.map((offer, n) =>
            `250${n === offers.length - 1 ? " " : "-"}${offer}`
          );
          if (!await reply(command, text.join("\r\n"))) return;
          break;
        }
        case "STARTTLS": {
          if (!await reply(command, "220 go ahead")) return;
          if (this.answer?.(command) !== undefined) break;
          const inner = await Deno.connect({ port: (this.#inner!.addr as Deno.NetAddr).port });
          this.#open.add(inner);
          const through = { preventClose: true } as const;
          await Promise.allSettled([
            connection.readable.pipeTo(inner.writable, through).finally(() => close(inner)),
            inner.readable.pipeTo(connection.writable, through).finally(() => close(connection)),
          ]);
          this.#open.delete(inner);
          return;
        }
        case "AUTH": {
          const given = atob(line.split(" ")[2] ?? "").split("\0").slice(1).join(" ");
          const { user, password } = this.#options.login ?? { user: "", password: "" };
          const isRight = this.#options.login !== undefined && given === `${user} ${password}`;
          if (isRight) login = given;
          const usual = isRight ? "235 welcome" : "535 5.7.8 authentication failed";
          if (!await reply(command, usual)) return;
          break;
        }
        case "MAIL": {
          from = /<(.*)>/.exec(line)?.[1] ?? "";
          to = [];
          if (!await reply(command, "250 ok")) return;
          break;
        }
        case "RCPT": {
          const told = this.answer?.(line);
          if (told === undefined) to.push(/<(.*)>/.exec(line)?.[1] ?? "");
          if (!await reply(line, "250 ok")) return;
          break;
        }
        case "DATA": {
          if (!await reply(command, "354 go on")) return;
          let text = "";
          for (let part = await lines.read(); part !== "."; part = await lines.read()) {
            if (part === undefined) return;
            text += `${part.replace(/^\./, "")}\n`;
          }
          if (this.answer?.("MAIL-TEXT") === undefined) {
            this.mails.push({ from, to, text, encrypted, login });
          }
          if (!await reply("MAIL-TEXT", "250 queued as 1")) return;
          break;
        }
        case "QUIT":
          await say("221 bye");
          return;
        default:
          await say("250 ok");
      }
    }
  }
}

class Lines {
  readonly #connection: Connection;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async read(): Promise<string | undefined> {
    const buffer = new Uint8Array(8192);
    for (;;) {
      const end = this.#rest.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 2);
        return line;
      }
      const read = await this.#connection.read(buffer);
      if (read === null) return undefined;
      this.#rest += this.#decoder.decode(buffer.subarray(0, read), { stream: true });
    }
  }

  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }
}

function close(connection: Connection): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
