/**
 * Owns: reading and writing the small XML documents that SIP and MSRP carry; no DTD, no entities but the five.
 * Called by: the payload formats (imdn.ts, composing.ts, sip/pidf.ts and their like). Calls: nothing.
 */
import { PAYLOAD_LIMITS } from './limits.ts';
import { ProtocolError } from './protocol-error.ts';

/** An element: names without prefix, its attributes, its child elements, and the text directly in it, trimmed. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

/** Ceilings of one document. */
export type XmlLimits = Readonly<Record<'maxXmlBytes' | 'maxXmlElements' | 'maxXmlDepth', number>>;

interface OpenElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly qualifiedName: string;
  readonly children: XmlElement[];
  text: string;
}

const TOKEN =
  /<!--(?:(?!--)[\s\S])*-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)((?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function fail(text: string): ProtocolError {
  return new ProtocolError('XML_NOT_ACCEPTED', 400, text);
}

const ATTRIBUTE = /([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/**
 * Reads a document. Throws ProtocolError `XML_NOT_ACCEPTED`, status 400, for anything odd or larger than `limits`
 * (default: `PAYLOAD_LIMITS`).
 */
export function parseXml(body: Buffer, limits: XmlLimits = PAYLOAD_LIMITS): XmlElement {
  if (body.length > limits.maxXmlBytes) throw fail('document too large');
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  const stack: OpenElement[] = [
    { name: '', qualifiedName: '', attributes: new Map(), children: [], text: '' },
  ];
  let elements = 0;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const token = TOKEN.exec(text);
    const parent = stack.at(-1);
    if (token === null || parent === undefined) throw fail(`not well-formed at ${at}`);
    const [, cdata, slash, qualifiedName, attributeText = '', empty, characters] = token;
    if (characters !== undefined) parent.text += decode(characters);
    else if (cdata !== undefined) parent.text += cdata;
    if (qualifiedName === undefined) continue;
    if (slash === '/') {
      const element = stack.pop();
      if (element?.qualifiedName !== qualifiedName) throw fail('tags do not match');
      stack.at(-1)?.children.push(finish(element));
      continue;
    }
    if (++elements > limits.maxXmlElements) throw fail('too many elements');
    const name = localName(qualifiedName);
    const attributes = readAttributes(attributeText);
    const element: OpenElement = { name, qualifiedName, attributes, children: [], text: '' };
    if (empty === '/') parent.children.push(finish(element));
    else if (stack.push(element) > limits.maxXmlDepth + 1) throw fail('nested too deeply');
  }
  const [document, ...unclosed] = stack;
  const [root, ...further] = document?.children ?? [];
  if (root === undefined || further.length > 0 || unclosed.length > 0 || document?.text.trim() !== '') {
    throw fail('not exactly one root element');
  }
  return root;
}

/** The first child of that name. */
export function xmlChild(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Text as it may stand between tags or in a quoted attribute. Characters that XML 1.0 forbids are dropped. */
export function escapeXml(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

function finish({ name, attributes, children, text }: OpenElement): XmlElement {
  return { name, attributes, children, text: text.trim() };
}

function localName(qualifiedName: string): string {
  return qualifiedName.slice(qualifiedName.indexOf(':') + 1);
}

function readAttributes(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  if (text === '') return attributes;
  for (const [, name = '', double, single = ''] of text.matchAll(ATTRIBUTE)) {
    attributes.set(localName(name), decode(double ?? single));
  }
  return attributes;
}

function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:([a-z]{1,8})|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));|&/g,
    (_all, ...groups: unknown[]) => {
      const [name, decimal, hex] = groups as (string | undefined)[];
      if (name !== undefined && name in ENTITIES) return ENTITIES[name] ?? '';
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
      if (!(code > 0 && code <= 0x10ffff) || (code >= 0xd800 && code < 0xe000))
        throw fail('entity not accepted');
      return String.fromCodePoint(code);
    },
  );
}
