import { describe, expect, it } from 'vitest';
import { PRESENCE_LIMITS } from '../../main/base/presence-limits.ts';
import {
  formatContactRules,
  parseContactRules,
  rulesTag,
  type ContactRule,
} from '../../main/sip/contact-rules.ts';

const read = (text: string) => [...parseContactRules(Buffer.from(text))];

describe('rules about people (RFC 4745, RFC 5025)', () => {
  it('are read as they were written, whatever their order', () => {
    const rules = new Map<string, ContactRule>([
      ['tom@example.org', { presence: 'allow', blocked: false }],
      ["o'neil&co@example.org", { presence: 'block', blocked: true }],
      ['ann@example.org', { presence: 'ask', blocked: true }],
    ]);
    const text = formatContactRules(rules);
    expect(new Map(read(text))).toEqual(rules);
    expect(formatContactRules(new Map([...rules].reverse()))).toBe(text);
    expect(read(formatContactRules(new Map()))).toEqual([]);
  });

  it('the same rules have the same tag, others another', () => {
    const one = formatContactRules(new Map([['a@b', { presence: 'allow', blocked: false }]]));
    const two = formatContactRules(new Map([['a@b', { presence: 'block', blocked: false }]]));
    expect(rulesTag(one)).toBe(rulesTag(Buffer.from(one)));
    expect(rulesTag(one)).not.toBe(rulesTag(two));
  });

  it('of another program are understood as far as they can be', () => {
    const rule = (id: string, one: string, handling: string) =>
      `<cr:rule id="${id}"><cr:conditions><cr:identity>${one}</cr:identity></cr:conditions><cr:actions><pr:sub-handling>${handling}</pr:sub-handling></cr:actions><cr:transformations><pr:provide-services/></cr:transformations></cr:rule>`;
    const text = `<cr:ruleset xmlns:cr="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">${[
      rule('a', '<cr:one id="sip:Ann@Example.ORG;x=y"/><cr:one id="tel:+1"/>', 'allow'),
      rule('b', '<cr:one id="sip:bob@example.org"/>', 'polite-block'),
      rule('c', '<cr:many domain="example.org"/>', 'allow'),
      rule('d', '<cr:one id="sip:eve@example.org"/>', 'confirm'),
    ].join('')}</cr:ruleset>`;
    expect(read(text)).toEqual([
      ['Ann@example.org', { presence: 'allow', blocked: false }],
      ['bob@example.org', { presence: 'block', blocked: false }],
    ]);
  });

  it.each(['', '<presence/>', '<ruleset>'])('what is none is refused with 400: %s', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ answer: 400 }));
  });

  it('about as many people as the limit says, and not one more (413)', () => {
    const about = (count: number) =>
      formatContactRules(
        new Map(Array.from({ length: count }, (_, n) => [`p${n}@x`, { presence: 'allow', blocked: true }])),
      );
    expect(read(about(PRESENCE_LIMITS.maxRules))).toHaveLength(PRESENCE_LIMITS.maxRules);
    expect(() => read(about(PRESENCE_LIMITS.maxRules + 1))).toThrow(expect.objectContaining({ answer: 413 }));
  });
});
