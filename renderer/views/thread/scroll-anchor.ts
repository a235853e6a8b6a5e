/** Owns: keeping what is read in its place while messages come and go above and below. Called by: MessageList. */
import type { ScrollWish } from '../../state/thread.svelte.ts';

export interface Anchor {
  readonly id: string;
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
  return { id: first.dataset['id'] ?? '', offset };
}

/** Scrolls so that the message is where it was. */
export function restoreAnchor(scroller: HTMLElement, { id, offset }: Anchor): void {
  const element = scroller.querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (element === null) return;
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
export function goalOf(scroller: HTMLElement, wish: ScrollWish): HTMLElement | null {
  switch (wish.to) {
    case 'bottom':
      return null;
    case 'new':
      return scroller.querySelector('[data-new]');
    case 'message':
      return scroller.querySelector(`[data-id="${CSS.escape(wish.id)}"]`);
    case 'position': {
      const all = [...messageElements(scroller)];
      return all.find(({ dataset }) => Number(dataset['position']) >= wish.position) ?? null;
    }
  }
}
