/** Owns: which rows of a long list are in the DOM. Called by: ConversationList. Calls: nothing. */

/** Rows beyond each edge: what a turn of the wheel brings in is there already. */
const BEYOND = 8;
/** Where nothing is laid out, as in a test without a layout. */
const UNKNOWN = 60;

/** `top` and `height` of what can be seen and of each `row`, in pixels; `also`: places that are there in any case. */
export function placesShown(
  { top, height, row }: { readonly top: number; readonly height: number; readonly row: number },
  count: number,
  also: readonly number[],
): number[] {
  const first = height === 0 ? 0 : Math.floor(top / row) - BEYOND;
  const last = height === 0 ? UNKNOWN : Math.ceil((top + height) / row) + BEYOND;
  const places = new Set<number>();
  for (let place = Math.max(0, first); place <= Math.min(count - 1, last); place += 1) places.add(place);
  for (const place of also) if (place >= 0 && place < count) places.add(place);
  return [...places].sort((a, b) => a - b);
}
