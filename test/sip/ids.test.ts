/** Identifiers that others rely on to tell two things apart. */
import { expect, it } from 'vitest';
import { newBranch, newCallId, newTag, newTransactionId } from '../../main/sip/engine/ids.ts';

it.each([
  // RFC 9562 §5.4: version 4 and the variant of that document in their places.
  ['Call-IDs', newCallId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ['transaction ids', newTransactionId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  // RFC 3261 §8.1.1.7 and §19.3.
  ['branches', newBranch, /^z9hG4bK[0-9a-f]{24}$/],
  ['tags', newTag, /^[0-9a-f]{16}$/],
])('%s have their shape, and none is like another', (_name, make, shape) => {
  const made = Array.from({ length: 20_000 }, make);
  expect(made.filter((id) => !shape.test(id))).toEqual([]);
  expect(new Set(made).size).toBe(made.length);
});

it('each digit of a Call-ID that is random takes every value', () => {
  const seen = new Map<number, Set<string>>();
  for (let count = 0; count < 2_000; count += 1) {
    for (const [place, digit] of newCallId().split('').entries())
      seen.set(place, (seen.get(place) ?? new Set()).add(digit));
  }
  const kinds = (place: number) => seen.get(place)?.size;
  for (const place of Array.from({ length: 36 }, (_, index) => index)) {
    const expected = [8, 13, 14, 18, 23].includes(place) ? 1 : place === 19 ? 4 : 16;
    expect(kinds(place), `place ${place}`).toBe(expected);
  }
});
