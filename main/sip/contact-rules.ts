/**
 * Owns: what a user has decided about other people, as a document: who sees his presence (RFC 5025 in the frame of
 * RFC 4745), and from whom nothing may come. Called by: imserver/contact-rules-book.ts, messenger. Calls: base/xml.ts.
 */
import { createHash } from 'node:crypto';
import { PAYLOAD_LIMITS } from '../base/limits.ts';
import { PRESENCE_LIMITS } from '../base/presence-limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { escapeXml, parseXml, xmlChild, type XmlElement } from '../base/xml.ts';
import { toAddress } from './address.ts';

export const RULES_TYPE = 'application/auth-policy+xml';
/** The event package by which a user's devices read and write his rules. Ours: there is none in any RFC. */
export const RULES_EVENT = 'contact-rules';

/** Of one other person. No rule at all is the same as `{ presence: 'ask', blocked: false }`. */
export interface ContactRule {
  /** May he see the user's presence? `ask`: he has to ask. */
  readonly presence: 'ask' | 'allow' | 'block';
  /** Nothing of his reaches the user, and he is not told so. */
  readonly blocked: boolean;
}

/** By address (`user@domain`). */
export type ContactRules = ReadonlyMap<string, ContactRule>;

const NAMESPACES = [
  'xmlns="urn:ietf:params:xml:ns:common-policy"',
  'xmlns:pr="urn:ietf:params:xml:ns:pres-rules"',
  'xmlns:parley="urn:parley:contact-rules"',
].join(' ');

const ACTIONS = {
  allow: '<pr:sub-handling>allow</pr:sub-handling>',
  block: '<pr:sub-handling>block</pr:sub-handling>',
  refuse: '<parley:requests>refuse</parley:requests>',
} as const;
type ActionName = keyof typeof ACTIONS;

export function formatContactRules(rules: ContactRules): string {
  const who: Record<ActionName, string[]> = { allow: [], block: [], refuse: [] };
  for (const [address, { presence, blocked }] of [...rules].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (presence !== 'ask') who[presence].push(address);
    if (blocked) who.refuse.push(address);
  }
  const parts = (Object.keys(ACTIONS) as ActionName[])
    .filter((name) => who[name].length > 0)
    .map((name) => {
      const ones = who[name].map((address) => `<one id="sip:${escapeXml(address)}"/>`).join('\r\n');
      return `<rule id="${name}"><conditions><identity>\r\n${ones}\r\n</identity></conditions><actions>${ACTIONS[name]}</actions></rule>\r\n`;
    });
  return `<?xml version="1.0" encoding="UTF-8"?>\r\n<ruleset ${NAMESPACES}>\r\n${parts.join('')}</ruleset>\r\n`;
}

/** The entity-tag of a document: whoever has read it can say which one it was (RFC 3903 §5). */
export function rulesTag(document: string | Buffer): string {
  return createHash('sha256').update(document).digest('hex').slice(0, 32);
}

/**
 * Reads rules; those with conditions or actions that we do not know are left out.
 * @throws ProtocolError 400 for what is no such document, 413 for too many people
 */
export function parseContactRules(body: Buffer): ContactRules {
  const { maxRulesBytes, maxRulesElements, maxRules } = PRESENCE_LIMITS;
  const root = parseXml(body, {
    ...PAYLOAD_LIMITS,
    maxXmlBytes: maxRulesBytes,
    maxXmlElements: maxRulesElements,
  });
  if (root.name !== 'ruleset') throw new ProtocolError('RULES_MALFORMED', 400, 'no ruleset');
  const rules = new Map<string, ContactRule>();
  for (const rule of root.children) {
    if (rule.name !== 'rule') continue;
    const actions = xmlChild(rule, 'actions');
    const handling = xmlChild(actions, 'sub-handling')?.text;
    const refuses = xmlChild(actions, 'requests')?.text === 'refuse';
    for (const address of identitiesOf(rule)) {
      const before = rules.get(address) ?? { presence: 'ask', blocked: false };
      rules.set(address, {
        presence: presenceOf(handling) ?? before.presence,
        blocked: before.blocked || refuses,
      });
    }
  }
  for (const [address, { presence, blocked }] of rules) {
    if (presence === 'ask' && !blocked) rules.delete(address);
  }
  if (rules.size > maxRules) throw new ProtocolError('RULES_TOO_MANY', 413, 'rules about too many people');
  return rules;
}

/** RFC 5025 §3.2.1. */
function presenceOf(handling: string | undefined): ContactRule['presence'] | undefined {
  switch (handling) {
    case 'allow':
      return 'allow';
    case 'block':
    case 'polite-block':
      return 'block';
    case 'confirm':
      return 'ask';
    default:
      return undefined;
  }
}

function identitiesOf(rule: XmlElement): string[] {
  const identity = xmlChild(xmlChild(rule, 'conditions'), 'identity');
  return (identity?.children ?? [])
    .filter(({ name }) => name === 'one')
    .map(({ attributes }) => toAddress(attributes.get('id') ?? ''))
    .filter((address) => address !== undefined);
}
