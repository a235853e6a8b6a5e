/** Owns: keeping what is read in its place while messages come and go above and below. Called by: MessageList. */
import type { ScrollWish } from '../../state/thread.svelte.ts';

export interface Anchor {
  readonly id: string;
  readonly position: number;
  /** Distance of the message from the top of the scrolled area. */
  readonly offset: number;
}

function messageElements(scroller: HTMLElement): NodeListOf<HTMLElement> {
  return scroller.querySelectorAll<HTMLElement>('[data-id]');
}

/** The first message of which a part can be seen. */
export function findAnchor(scroller: HTMLElement): Anchor | null {
  const elements = messageElements(scroller);
  let low = 0;
  let high = elements.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const element = elements[middle];
    if (element !== undefined && element.offsetTop + element.offsetHeight > scroller.scrollTop) high = middle;
    else low = middle + 1;
  }
  const first = elements[low];
  if (first === undefined) return null;
  const offset = first.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
  const { id = '', position } = first.dataset;
  return { id, position: Number(position), offset };
}

/** The first message at or behind a position, or the row of the flood that it is behind. */
function elementAt(scroller: HTMLElement, position: number): HTMLElement | undefined {
  return [...messageElements(scroller)].find(({ dataset }) => Number(dataset['position']) >= position);
}

/** Scrolls so that the message is where it was; when it has been collapsed, the row that stands for it. */
export function restoreAnchor(scroller: HTMLElement, { id, position, offset }: Anchor): void {
  const same = scroller.querySelector(`[data-id="${CSS.escape(id)}"]`);
  const element = same ?? elementAt(scroller, position);
  if (element === undefined) return;
  const now = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
  if (Math.abs(now - offset) >= 0.5) scroller.scrollTop += now - offset;
}

/** Position of the newest message whose beginning can be seen; 0 when there is none. */
export function lastVisiblePosition(scroller: HTMLElement): number {
  const bottom = scroller.scrollTop + scroller.clientHeight;
  const elements = [...messageElements(scroller)];
  const last = elements.findLast((element) => element.offsetTop < bottom);
  return Number(last?.dataset['position'] ?? 0);
}

/** What a wish wants to see; null: the end. */
export function goalOf(scroller: HTMLElement, wish: Exclude<ScrollWish, { to: 'same' }>): HTMLElement | null {
  switch (wish.to) {
    case 'bottom':
      return null;
    case 'new':
      return scroller.querySelector('[data-new]');
    case 'message':
      return scroller.querySelector(`[data-id="${CSS.escape(wish.id)}"]`);
    case 'position':
      return elementAt(scroller, wish.position) ?? null;
  }
}
