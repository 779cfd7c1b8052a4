/*
 * Whether a text is an audit message by the schema of PS3.15 A.5.1: a strict reader of XML, and the schema as a table of
 * what each element must and may have.
 */

/** An element as it was read. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  readonly text: string;
}

const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;

/** Reads one document of elements, attributes and text. Throws where it is not well-formed. */
export function readXml(xml: string): Element {
  for (const char of xml) {
    const code = char.codePointAt(0)!;
    const legal = code === 9 || code === 10 || code === 13 || code >= 0x20 && code <= 0xd7ff ||
      code >= 0xe000 && code <= 0xfffd || code >= 0x10000;
    if (!legal) throw new Error(`no character of XML: U+${code.toString(16)}`);
  }
  const head = '<?xml version="1.0" encoding="UTF-8"?>';
  if (!xml.startsWith(head)) throw new Error(`no declaration: ${xml.slice(0, 60)}`);
  let at = head.length;
  const expect = (text: string) => {
    if (!xml.startsWith(text, at)) throw new Error(`wanted ${text} at ${xml.slice(at, at + 40)}`);
    at += text.length;
  };
  const name = (): string => {
    NAME.lastIndex = at;
    const found = NAME.exec(xml)?.[0];
    if (found === undefined) throw new Error(`wanted a name at ${xml.slice(at, at + 40)}`);
    at += found.length;
    return found;
  };
  const unescaped = (text: string): string => {
    if (text.includes("<")) throw new Error(`< in ${text}`);
    return text.replace(/&([^;]{0,10})(;?)/g, (_whole, entity: string, end: string) => {
      const code = /^#(\d+)$/.exec(entity)?.[1];
      if (code === undefined || end === "") throw new Error(`no entity: &${entity}${end}`);
      return String.fromCodePoint(Number(code));
    });
  };
  const element = (): Element => {
    expect("<");
    const tag = name();
    const attributes = new Map<string, string>();
    while (xml[at] === " ") {
      at++;
      const key = name();
      expect('="');
      const end = xml.indexOf('"', at);
      if (end < 0) throw new Error(`attribute ${key} does not end`);
      if (attributes.has(key)) throw new Error(`attribute ${key} comes twice`);
      attributes.set(key, unescaped(xml.slice(at, end)));
      at = end + 1;
    }
    if (xml.startsWith("/>", at)) {
      at += 2;
      return { name: tag, attributes, children: [], text: "" };
    }
    expect(">");
    const children: Element[] = [];
    let text = "";
    while (!xml.startsWith("</", at)) {
      if (at >= xml.length) throw new Error(`${tag} does not end`);
      if (xml[at] === "<") children.push(element());
      else {
        const end = xml.indexOf("<", at);
        text += unescaped(xml.slice(at, end < 0 ? xml.length : end));
        at = end < 0 ? xml.length : end;
      }
    }
    expect(`</${tag}>`);
    return { name: tag, attributes, children, text };
  };
  const root = element();
  if (at !== xml.length) throw new Error(`more behind the end: ${xml.slice(at, at + 40)}`);
  return root;
}

type Times = "1" | "?" | "*" | "+";

interface Rule {
  /** Children in their order, and how often; names with a bar between them are a choice. */
  readonly children?: readonly (readonly [string, Times])[];
  /** Attributes: what their values must match; a "?" before the name where it may be left out. */
  readonly attributes?: Readonly<Record<string, RegExp>>;
  /** What its text must match, where it has one. */
  readonly text?: RegExp;
}

const ANY = /^/;
const BOOLEAN = /^(true|false|0|1)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const CODED: Rule = {
  attributes: { "csd-code": ANY, codeSystemName: ANY, "?displayName": ANY, originalText: ANY },
};

function upTo(most: number): RegExp {
  return new RegExp(`^(${Array.from({ length: most }, (_, n) => n + 1).join("|")})$`);
}

/** PS3.15 A.5.1.1, by element; those of one name are the same everywhere in it. */
const RULES: Readonly<Record<string, Rule>> = {
  AuditMessage: {
    children: [
      ["EventIdentification", "1"],
      ["ActiveParticipant", "+"],
      ["AuditSourceIdentification", "1"],
      ["ParticipantObjectIdentification", "*"],
    ],
  },
  EventIdentification: {
    children: [["EventID", "1"], ["EventTypeCode", "*"], ["EventOutcomeDescription", "?"]],
    attributes: {
      "?EventActionCode": /^[CRUDE]$/,
      EventDateTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
      EventOutcomeIndicator: /^(0|4|8|12)$/,
    },
  },
  EventID: CODED,
  EventTypeCode: CODED,
  EventOutcomeDescription: { text: ANY },
  AuditSourceIdentification: {
    children: [["AuditSourceTypeCode", "*"]],
    attributes: { "?AuditEnterpriseSiteID": ANY, AuditSourceID: ANY },
  },
  AuditSourceTypeCode: {
    attributes: {
      "csd-code": ANY,
      "?codeSystemName": ANY,
      "?displayName": ANY,
      "?originalText": ANY,
    },
  },
  ActiveParticipant: {
    children: [["RoleIDCode", "*"], ["MediaIdentifier", "?"]],
    attributes: {
      UserID: ANY,
      "?AlternativeUserID": ANY,
      "?UserName": ANY,
      UserIsRequestor: BOOLEAN,
      "?NetworkAccessPointID": ANY,
      "?NetworkAccessPointTypeCode": upTo(5),
    },
  },
  RoleIDCode: CODED,
  MediaIdentifier: { children: [["MediaType", "1"]] },
  MediaType: CODED,
  ParticipantObjectIdentification: {
    children: [
      ["ParticipantObjectIDTypeCode", "1"],
      ["ParticipantObjectName|ParticipantObjectQuery", "1"],
      ["ParticipantObjectDetail", "*"],
      ["ParticipantObjectDescription", "*"],
    ],
    attributes: {
      ParticipantObjectID: ANY,
      "?ParticipantObjectTypeCode": upTo(4),
      "?ParticipantObjectTypeCodeRole": upTo(26),
      "?ParticipantObjectDataLifeCycle": upTo(15),
      "?ParticipantObjectSensitivity": ANY,
    },
  },
  ParticipantObjectIDTypeCode: CODED,
  ParticipantObjectName: { text: ANY },
  ParticipantObjectQuery: { text: BASE64 },
  ParticipantObjectDetail: { attributes: { type: ANY, value: BASE64 } },
  ParticipantObjectDescription: {
    children: [
      ["MPPS", "*"],
      ["Accession", "*"],
      ["SOPClass", "*"],
      ["ParticipantObjectContainsStudy", "?"],
      ["Encrypted", "?"],
      ["Anonymized", "?"],
    ],
  },
  Accession: { attributes: { Number: ANY } },
  SOPClass: {
    children: [["Instance", "*"]],
    attributes: { "?UID": ANY, NumberOfInstances: /^[+-]?\d+$/ },
  },
};

/** Reads an audit message. Throws, with the reason, where it is not valid. */
export function readAudit(xml: string): Element {
  const root = readXml(xml);
  if (root.name !== "AuditMessage") throw new Error(`the root is ${root.name}`);
  check(root);
  return root;
}

function check({ name, attributes, children, text }: Element): void {
  const rule = RULES[name];
  if (rule === undefined) throw new Error(`the schema has no ${name}`);
  const known = new Set<string>();
  for (const [written, pattern] of Object.entries(rule.attributes ?? {})) {
    const key = written.replace("?", "");
    known.add(key);
    const value = attributes.get(key);
    if (value === undefined && written === key) throw new Error(`${name} has no ${key}`);
    if (value !== undefined && !pattern.test(value)) {
      throw new Error(`${name}: ${key} is ${JSON.stringify(value)}, wanted ${pattern}`);
    }
  }
  for (const key of attributes.keys()) {
    if (!known.has(key)) throw new Error(`${name} may have no ${key}`);
  }
  if (rule.text === undefined ? text !== "" : !rule.text.test(text)) {
    throw new Error(`${name} has the text ${JSON.stringify(text)}`);
  }
  let at = 0;
  for (const [names, times] of rule.children ?? []) {
    const choice = names.split("|");
    const from = at;
    while (at < children.length && choice.includes(children[at]!.name)) at++;
    const count = at - from;
    const fits = times === "*" || times === "?" && count <= 1 || times === "+" && count >= 1 ||
      times === "1" && count === 1;
    if (!fits) throw new Error(`${name} has ${names} ${count} times, wanted ${times}`);
  }
  if (at < children.length) throw new Error(`${name}: ${children[at]!.name} is not in its place`);
  for (const child of children) check(child);
}

/** What of a message tests ask for. */
export interface ReadAudit {
  /** `110104` */
  readonly event: string;
  readonly types: readonly string[];
  readonly action: string;
  readonly outcome: string;
  readonly description: string;
  readonly participants: readonly ReadonlyMap<string, string>[];
  /** Role codes of the participants, "" where one has none. */
  readonly roles: readonly string[];
  /** IDs of objects by the code they are named by: `110180` a study, `2` a patient. */
  readonly objects: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
  /** SOP classes and how many instances. */
  readonly classes: ReadonlyMap<string, number>;
  readonly accessions: readonly string[];
  readonly source: ReadonlyMap<string, string>;
  readonly at: string;
}

/** Reads a valid message into what tests ask for. */
export function auditOf(xml: string): ReadAudit {
  const root = readAudit(xml);
  const all = (name: string, from: Element = root): Element[] =>
    from.children.flatMap((child) => [...child.name === name ? [child] : [], ...all(name, child)]);
  const code = (element: Element | undefined) => element?.attributes.get("csd-code") ?? "";
  const [event] = all("EventIdentification");
  const objects = all("ParticipantObjectIdentification");
  const key = (element: Element) => code(all("ParticipantObjectIDTypeCode", element)[0]);
  return {
    event: code(all("EventID")[0]),
    types: all("EventTypeCode").map(code),
    action: event!.attributes.get("EventActionCode") ?? "",
    outcome: event!.attributes.get("EventOutcomeIndicator") ?? "",
    description: all("EventOutcomeDescription")[0]?.text ?? "",
    at: event!.attributes.get("EventDateTime") ?? "",
    participants: all("ActiveParticipant").map((one) => one.attributes),
    roles: all("ActiveParticipant").map((one) => code(all("RoleIDCode", one)[0])),
    objects: new Map(
      objects.map((one) => [key(one), one.attributes.get("ParticipantObjectID") ?? ""]),
    ),
    names: new Map(
      objects.map((one) => [key(one), all("ParticipantObjectName", one)[0]?.text ?? ""]),
    ),
    classes: new Map(
      all("SOPClass").map((
        one,
      ) => [one.attributes.get("UID") ?? "", Number(one.attributes.get("NumberOfInstances"))]),
    ),
    accessions: all("Accession").map((one) => one.attributes.get("Number") ?? ""),
    source: all("AuditSourceIdentification")[0]!.attributes,
  };
}
