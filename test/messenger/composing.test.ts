import { describe, expect, it } from 'vitest';
import { buildComposing, parseComposing } from '../../main/messenger/composing.ts';

describe('isComposing (RFC 3994 §3)', () => {
  it('reads back what it wrote', () => {
    const status = {
      state: 'active' as const,
      refreshS: 90,
      contentType: 'text/plain',
      lastActive: '2003-01-27T10:43:00Z',
    };
    expect(parseComposing(buildComposing(status))).toEqual(status);
    expect(parseComposing(buildComposing({ state: 'idle' }))).toEqual({ state: 'idle', refreshS: 120 });
  });

  it.each([
    ['', 120],
    ['<refresh>5</refresh>', 60],
    ['<refresh>60</refresh>', 60],
    ['<refresh>99999999</refresh>', 3_600],
    ['<refresh>x</refresh>', 120],
  ])('refresh %j counts %i seconds (§3.3)', (element, refreshS) => {
    const text = `<isComposing><state>active</state>${element}</isComposing>`;
    expect(parseComposing(Buffer.from(text)).refreshS).toBe(refreshS);
    expect(buildComposing({ state: 'active', refreshS: 5 }).toString()).toContain('<refresh>60</refresh>');
  });

  it('an unknown state is idle (§3.3)', () => {
    expect(parseComposing(Buffer.from('<isComposing><state>singing</state></isComposing>')).state).toBe(
      'idle',
    );
  });

  it.each(['<isComposing/>', '<other><state>active</state></other>', 'x'])('refuses %j', (text) => {
    expect(() => parseComposing(Buffer.from(text))).toThrow(
      expect.objectContaining({ answer: 400 }) as Error,
    );
  });
});
