import { describe, expect, it } from 'vitest';
import { avatarHue, avatarInitials } from '../../../renderer/components/avatar.ts';

describe('avatar', () => {
  it.each([
    ['Tom Weber', 'TW'],
    ['tom', 'T'],
    ['Ana Maria Sørensen', 'AS'],
    ['李小龙', '李'],
    ['مها الأحمد', 'م'],
    ['b.smith', 'BS'],
    ['(Support) desk', 'D'],
    ['   ', '?'],
    ['😀 Tom', 'T'],
  ])('has the letters of "%s": %s', (name, letters) => {
    expect(avatarInitials(name)).toBe(letters);
  });

  it('has a colour that stays with the address, whatever its case', () => {
    expect(avatarHue('Tom@Example.com')).toBe(avatarHue('tom@example.com'));
    const hues = new Set(Array.from({ length: 100 }, (_, n) => avatarHue(`user${n}@example.com`)));
    expect(hues.size).toBeGreaterThan(18);
    for (const hue of hues) expect(hue).toBeLessThan(360);
  });
});
