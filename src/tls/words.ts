/*
 * What goes wrong while TLS is agreed on, in words for people. Pure.
 *
 * The runtime's own words are for who writes programs; what cannot be told better is told by them.
 */

/** Alerts (RFC 8446 §6.2) and what they mean when the other side sends one. */
const ALERTS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/CertificateRequired/, "the other side wants a certificate of ours, and got none"],
  [/UnknownCA/, "the other side does not know the issuer of our certificate"],
  [/CertificateExpired/, "the other side says that our certificate has expired"],
  [
    /BadCertificate|CertificateUnknown|UnsupportedCertificate|CertificateRevoked/,
    "the other side refuses our certificate",
  ],
  [/AccessDenied/, "the other side knows our certificate and lets it not in"],
  [/ProtocolVersion/, "the other side speaks no TLS version that we do (1.2 and 1.3)"],
  [
    /HandshakeFailure|InsufficientSecurity/,
    "the other side knows no cipher suite that we do (ECDHE with AES-GCM or ChaCha20), or wants a certificate of ours",
  ],
];

/** What the runtime found against the peer's certificate. */
const VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: is a clock wrong?",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself, and not trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is by an issuer that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is by an issuer that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is by an issuer that is not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate is by an issuer that is not trusted here, or not meant for its role (extended key usage)",
  INVALID_PURPOSE: "its certificate is not meant for its role (extended key usage)",
  CERT_REVOKED: "its certificate has been revoked",
};

/** What the runtime found against a certificate, in words. */
export function verdictInWords(verdict: unknown): string {
  const code = verdict instanceof Error && "code" in verdict ? verdict.code : verdict;
  return VERDICTS[String(code)] ?? `its certificate is refused (${String(code)})`;
}

/**
 * Why TLS did not come about, or ended, in words that go on after "the connection failed:".
 *
 * @param first the first bytes that came
 */
export function alertInWords(
  error: Error,
  role: "server" | "client",
  first: Uint8Array | undefined,
): string {
  const { message } = error;
  const code = "code" in error ? String(error.code) : "";
  const found = VERDICTS[code];
  if (found !== undefined) return found;
  if (
    code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE" || /sent no certificates/.test(message)
  ) {
    return "it showed no certificate";
  }
  const alert = /fatal alert: (\w+)/.exec(message)?.[1];
  if (alert !== undefined) {
    return ALERTS.find(([pattern]) => pattern.test(alert))?.[1] ??
      `the other side ended TLS (${alert})`;
  }
  if (WRONG_VERSION.test(message)) {
    return "it speaks no TLS version that is wanted here";
  }
  if (/NoCipherSuitesInCommon|NoKxGroupsInCommon|NoSignatureSchemesInCommon/i.test(message)) {
    return "it offers no cipher suite that we know (ECDHE with AES-GCM or ChaCha20)";
  }
  if (first !== undefined && first.length > 0 && !looksLikeTls(first)) {
    return looksLikeDicom(first)
      ? "it speaks plain DICOM, and this connection wants TLS"
      : "it does not speak TLS";
  }
  if (first === undefined && role === "server") return "it closed the connection without a word";
  if (/before secure TLS|socket hang up|was closed/.test(message)) {
    return "the other side closed the connection before TLS was agreed on: does it speak TLS on this port, and does it know our certificate's issuer?";
  }
  return message;
}

/** What the runtime says of a peer whose versions are not ours; one older than 1.2 names no signature algorithms. */
const WRONG_VERSION =
  /Tls1[23]NotOffered|SupportedVersionsExtensionRequired|SignatureAlgorithmsExtensionRequired|ServerTlsVersion/i;

/** A fatal alert before anything is agreed on (RFC 8446 §6.2): protocol_version, or handshake_failure. */
export function alertOf(error: Error): Uint8Array {
  return Uint8Array.of(0x15, 3, 3, 0, 2, 2, WRONG_VERSION.test(error.message) ? 70 : 40);
}

/** A TLS record: handshake or alert, of version 3.x (RFC 8446 §5.1). */
export function looksLikeTls(first: Uint8Array): boolean {
  const [kind, major] = first;
  return (kind === 0x16 || kind === 0x15) && (first.length === 1 || major === 0x03);
}

/** A PDU of the upper layer: type 1 to 7 and a reserved byte (PS3.8 §9.3.1). */
function looksLikeDicom(first: Uint8Array): boolean {
  const [type = 0, reserved] = first;
  return type >= 1 && type <= 7 && reserved === 0;
}
