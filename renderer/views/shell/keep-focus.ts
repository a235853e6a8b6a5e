/**
 * Owns: that the keys are never nowhere: when what has the focus goes away, is hidden or can be used no more, the best
 * place near it gets the focus. Called by: App.svelte, SearchField. Calls: the DOM.
 */
const stops = 'button, input, textarea, select, summary, a[href], [tabindex="0"]';

/** Also what only scripts may focus. */
function canKeepFocus(element: Element): boolean {
  return element.getClientRects().length > 0 && !element.matches(':disabled');
}

/** In a pane: where one writes, or the row of the list that the Tab key reaches (`data-home`), else what comes first. */
function homeIn(pane: Element): HTMLElement | undefined {
  const all = [
    ...pane.querySelectorAll<HTMLElement>('[data-home]'),
    ...pane.querySelectorAll<HTMLElement>(stops),
  ];
  return all.find((element) => canKeepFocus(element) && !element.matches('[tabindex="-1"]'));
}

/** To the pane of `around` that is there still, else to the thread, the list, or whatever there is. */
export function focusHome(around: readonly Element[] = []): void {
  const near = around.filter((element) => element.matches('main, aside') && canKeepFocus(element));
  const others = ['main', 'aside', 'body'].flatMap((name) => [...document.querySelectorAll(name)]);
  for (const pane of [...near, ...others]) {
    const home = homeIn(pane);
    if (home === undefined) continue;
    home.focus({ preventScroll: true });
    return;
  }
}

function withAllAround(element: Element): Element[] {
  const parent = element.parentElement;
  return parent === null ? [element] : [element, ...withAllAround(parent)];
}

/** Watches all of `root` until the returned function is called. */
export function keepFocus(root: HTMLElement): () => void {
  /** What had the focus last, with all around it; empty: nothing had it. */
  let last: readonly Element[] = [];
  let frame = 0;
  const remember = ({ target }: FocusEvent): void => {
    last = target instanceof Element ? withAllAround(target) : [];
  };
  const restore = (): void => {
    frame = 0;
    const [had] = last;
    const now = document.activeElement;
    if (had === undefined || (now !== null && now !== document.body && canKeepFocus(now))) return;
    // What can be seen still was left by the user.
    if (canKeepFocus(had)) last = [];
    else focusHome(last);
  };
  // Whoever gives the focus on himself does so before the next frame.
  const changes = new MutationObserver((records) => {
    const isGone = last.length > 0 && document.activeElement === document.body;
    if (frame === 0 && (isGone || records.some(({ type }) => type === 'attributes'))) {
      frame = requestAnimationFrame(restore);
    }
  });
  root.addEventListener('focusin', remember);
  changes.observe(root, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ['data-turn', 'disabled'],
  });
  return () => {
    changes.disconnect();
    cancelAnimationFrame(frame);
    root.removeEventListener('focusin', remember);
  };
}
