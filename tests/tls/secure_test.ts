/*
 * TLS connections between two of ours: who is let up to the layer above, and what the bytes do.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import type { Credentials } from "../../src/tls/credentials.ts";
import type { Made } from "../../src/tls/make_certificate.ts";
import {
  type ClientSide,
  type MinVersion,
  SecureConnection,
  type ServerSide,
} from "../../src/ul/secure.ts";
import { Authority, type Flaw } from "../helpers/certificates.ts";

const SERVER: ServerSide = { role: "server", clientCertificate: "required", minVersion: "1.2" };
const CLIENT: ClientSide = {
  role: "client",
  serverName: "localhost",
  verifyName: true,
  minVersion: "1.2",
};

function credentials(own: Made | undefined, authority: Made): Credentials {
  const trusted = [new X509Certificate(authority.certificate)];
  const ca = [authority.certificate];
  return { certificate: own?.certificate, key: own?.key, ca, trusted, certificates: [] };
}

interface Pair {
  readonly server: SecureConnection;
  readonly client: SecureConnection;
  /** The TCP connection below the client. */
  readonly tcp: Deno.TcpConn;
}

async function connected(): Promise<[server: Deno.TcpConn, client: Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return [await accepted, client];
}

async function pair(
  server: Credentials,
  client: Credentials,
  { serverSide = SERVER, clientSide = CLIENT, handshakeMs = 5000 } = {},
): Promise<Pair> {
  const [below, above] = await connected();
  return {
    server: new SecureConnection(below, serverSide, server, handshakeMs),
    client: new SecureConnection(above, clientSide, client, handshakeMs),
    tcp: above,
  };
}

/** What becomes of ten bytes from the client to the server's upper layer and back. */
async function exchange({ server, client }: Pair): Promise<{ up: string; down: string }> {
  const words = (error: Error) => error.message;
  const up = async () => {
    await client.write(new TextEncoder().encode("A-ASSOCIAT"));
    return await readAll(client, 10);
  };
  const down = async () => {
    const got = await readAll(server, 10);
    if (got.length > 0) await server.write(new TextEncoder().encode(got));
    return got;
  };
  const [sent, received] = await Promise.all([up().catch(words), down().catch(words)]);
  server.close();
  client.close();
  return { up: received, down: sent };
}

async function readAll(connection: SecureConnection, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

/** What a flaw is told by. */
const WORDS: Readonly<Record<Flaw | "none", RegExp>> = {
  none: /showed no certificate|wants a certificate of ours/,
  expired: /has expired/,
  "not yet valid": /not valid (yet|before)/,
  "other issuer": /not trusted here/,
  "self-signed": /signed by itself/,
  "wrong usage": /not meant for/,
  "wrong name": /for another name|is not for localhost/,
};

for (const version of ["1.2", "1.3"] as const) {
  const flaws = ["expired", "not yet valid", "other issuer", "wrong usage", "self-signed"] as const;
  /** Both ends speak this version and no other. */
  const only = (minVersion: MinVersion) => ({
    clientSide: { ...CLIENT, minVersion, maxVersion: minVersion },
  });

  Deno.test(`TLS ${version}: a client with a certificate of the trusted issuer is let up`, async () => {
    const authority = await Authority.make();
    const server = credentials(await authority.issue("server", ["localhost"]), authority.made);
    const client = credentials(await authority.issue("client", []), authority.made);
    const met = await pair(server, client, only(version));
    assert.deepEqual(await exchange(met), { up: "A-ASSOCIAT", down: "A-ASSOCIAT" });
    assert.equal(met.server.version, `TLSv${version}`);
  });

  for (const flaw of ["none", ...flaws] as const) {
    Deno.test(`TLS ${version}: a client is not let up whose certificate is: ${flaw}`, async () => {
      const authority = await Authority.make();
      const server = credentials(await authority.issue("server", ["localhost"]), authority.made);
      const own = flaw === "none" ? undefined : await authority.issue("client", [], flaw);
      for (const clientCertificate of ["required", "optional"] as const) {
        if (clientCertificate === "optional" && flaw === "none") continue;
        const met = await pair(server, credentials(own, authority.made), {
          ...only(version),
          serverSide: { ...SERVER, clientCertificate },
        });
        const { up, down } = await exchange(met);
        assert.match(up, WORDS[flaw], clientCertificate);
        assert.notEqual(down, "A-ASSOCIAT");
      }
    });
  }

  for (const flaw of [...flaws, "wrong name"] as const) {
    Deno.test(`TLS ${version}: nothing is sent to a server whose certificate is: ${flaw}`, async () => {
      const authority = await Authority.make();
      const own = await authority.issue("server", ["localhost"], flaw);
      const server = credentials(own, authority.made);
      const client = credentials(await authority.issue("client", []), authority.made);
      // Twice: a session that was begun is not to be taken up again without a look at the certificate.
      for (let n = 0; n < 2; n++) {
        const { up, down } = await exchange(await pair(server, client, only(version)));
        assert.match(down, WORDS[flaw]);
        assert.notEqual(up, "A-ASSOCIAT");
      }
    });
  }

  Deno.test(`TLS ${version}: a name is not looked at where that is wanted, the issuer still is`, async () => {
    const authority = await Authority.make();
    const client = credentials(await authority.issue("client", []), authority.made);
    const clientSide = { ...only(version).clientSide, verifyName: false };
    for (const flaw of ["wrong name", "other issuer", "wrong name"] as const) {
      const server = credentials(
        await authority.issue("server", ["localhost"], flaw),
        authority.made,
      );
      const { up } = await exchange(await pair(server, client, { clientSide }));
      assert.equal(up === "A-ASSOCIAT", flaw === "wrong name", up);
    }
  });
}

Deno.test("a server that wants TLS 1.3 takes nothing older", async () => {
  const authority = await Authority.make();
  const server = credentials(await authority.issue("server", ["localhost"]), authority.made);
  const client = credentials(await authority.issue("client", []), authority.made);
  const { up } = await exchange(
    await pair(server, client, {
      serverSide: { ...SERVER, minVersion: "1.3" },
      clientSide: { ...CLIENT, maxVersion: "1.2" },
    }),
  );
  assert.match(up, /no TLS version that is wanted/);
});

Deno.test("whoever shows no certificate is let up where it is optional", async () => {
  const authority = await Authority.make();
  const server = credentials(await authority.issue("server", ["127.0.0.1"]), authority.made);
  for (const clientCertificate of ["optional", "none"] as const) {
    const met = await pair(server, credentials(undefined, authority.made), {
      serverSide: { ...SERVER, clientCertificate },
      clientSide: { ...CLIENT, serverName: "127.0.0.1" },
    });
    assert.equal((await exchange(met)).up, "A-ASSOCIAT");
  }
});

async function agreed(): Promise<Pair> {
  const authority = await Authority.make();
  const met = await pair(
    credentials(await authority.issue("server", ["localhost"]), authority.made),
    credentials(await authority.issue("client", []), authority.made),
  );
  await Promise.all([met.server.established, met.client.established]);
  return met;
}

Deno.test("40 MB arrive byte for byte, through a reader with a small buffer", async () => {
  const { server, client } = await agreed();
  const sent = new Uint8Array(40_000_000);
  for (let at = 0; at < sent.length; at += 65_536) {
    crypto.getRandomValues(sent.subarray(at, Math.min(sent.length, at + 65_536)));
  }
  const writing = (async () => {
    for (let at = 0; at < sent.length;) at += await client.write(sent.subarray(at));
    client.close();
  })();
  const got = new Uint8Array(sent.length + 1);
  let at = 0;
  for (;;) {
    const count = await server.read(got.subarray(at, at + 5000));
    if (count === null) break;
    at += count;
  }
  await writing;
  server.close();
  assert.equal(at, sent.length);
  assert.ok(Buffer.compare(got.subarray(0, at), sent) === 0);
});

Deno.test("a write waits while the peer does not read, and fails when the connection is closed", async () => {
  const { server, client } = await agreed();
  const piece = new Uint8Array(65_536);
  let taken = 0;
  let failure: unknown;
  const writing = (async () => {
    // More than what both systems hold for a connection that nobody reads.
    while (taken < 64_000_000) taken += await client.write(piece);
  })().catch((error) => failure = error);
  let before = -1;
  while (before !== taken) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(taken < 32_000_000, `${taken} bytes were taken from a writer whose peer does not read`);
  client.close();
  await writing;
  assert.ok(failure instanceof Error);
  server.close();
});

Deno.test("a connection that says nothing is given up after the time for a handshake", async () => {
  const authority = await Authority.make();
  const server = credentials(await authority.issue("server", ["localhost"]), authority.made);
  const [below, above] = await connected();
  const began = performance.now();
  const connection = new SecureConnection(below, SERVER, server, 200);
  await assert.rejects(connection.established, /within 0.2 s/);
  assert.equal(await above.read(new Uint8Array(10)), null);
  assert.ok(performance.now() - began < 3000);
  above.close();
});

Deno.test("a peer that speaks plain DICOM to TLS is told apart from other trouble", async () => {
  const authority = await Authority.make();
  const server = credentials(await authority.issue("server", ["localhost"]), authority.made);
  const said: readonly (readonly [Uint8Array, RegExp])[] = [
    [Uint8Array.of(1, 0, 0, 0, 0, 205, 0, 1, 0, 0), /speaks plain DICOM/],
    [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), /does not speak TLS/],
  ];
  for (const [bytes, words] of said) {
    const [below, above] = await connected();
    const connection = new SecureConnection(below, SERVER, server, 5000);
    await above.write(bytes);
    await assert.rejects(connection.established, words);
    above.close();
  }
});

Deno.test("the end that closes says goodbye, and the other reads to the end", async () => {
  const { server, client } = await agreed();
  await server.write(new Uint8Array(100));
  server.close();
  assert.equal((await readAll(client, 200)).length, 100);
  client.close();
});

Deno.test("a connection that is cut in the middle is an end or an error, never bytes", async () => {
  const { server, client, tcp } = await agreed();
  await client.write(new Uint8Array(100));
  tcp.close();
  assert.equal((await readAll(server, 100)).length, 100);
  const rest = await server.read(new Uint8Array(10)).catch((error) => error);
  assert.ok(rest === null || rest instanceof Error);
  server.close();
  client.close();
});
