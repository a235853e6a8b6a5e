import { describe, expect, it } from 'vitest';
import { placesShown } from '../../../renderer/views/conversations/places-shown.ts';

describe('rows of a long list that are in the DOM', () => {
  const view = { top: 62 * 500, height: 620, row: 62 };

  it('are those that can be seen, and some beyond each edge', () => {
    const places = placesShown(view, 1_000, []);
    expect(places.length).toBeLessThan(30);
    for (let place = 500; place < 510; place += 1) expect(places).toContain(place);
  });

  it('are also those that the keyboard needs, in order, and never one that there is not', () => {
    const places = placesShown(view, 1_000, [0, 999, -1, 1_000]);
    expect(places[0]).toBe(0);
    expect(places.at(-1)).toBe(999);
    expect(placesShown(view, 3, [1])).toEqual([1]);
  });

  it('are the first ones where nothing is laid out', () => {
    expect(placesShown({ top: 0, height: 0, row: 62 }, 5, [])).toEqual([0, 1, 2, 3, 4]);
  });
});
