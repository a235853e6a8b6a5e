/**
 * Owns: what is measured inside the window: functions that run in its page. Called by: measure.ts. Calls: the DOM.
 * Each stands for itself: nothing outside of it is there in the page.
 */

/** Clicks the nth row of the list; ms until a message of its conversation has been painted. */
export async function openConversation(nth: number): Promise<number> {
  const painted = () => new Promise<void>((done) => requestAnimationFrame(() => setTimeout(done)));
  const place = `nav li[aria-posinset="${nth + 1}"]`;
  const list = document.querySelector<HTMLElement>('nav');
  if (list === null) return NaN;
  // Rows that cannot be seen are not there.
  if (document.querySelector(place) === null)
    list.scrollTop = nth * (document.querySelector('nav li')?.clientHeight ?? 0);
  await painted();
  const row = document.querySelector<HTMLElement>(`${place} button`);
  if (row === null) return NaN;
  row.scrollIntoView({ block: 'nearest' });
  await painted();
  const before = document.querySelector('[data-id]')?.getAttribute('data-id');
  const began = performance.now();
  row.click();
  for (;;) {
    await painted();
    const now = document.querySelector('[data-id]')?.getAttribute('data-id');
    if ((now ?? null) !== null && now !== before) return performance.now() - began;
    if (performance.now() - began > 5_000) return NaN;
  }
}

/** Scrolls up for so many frames; the time of each frame in ms. */
export async function scrollUp(frames: number): Promise<number[]> {
  const scroller = document.querySelector<HTMLElement>('.scroller');
  if (scroller === null) return [];
  const times: number[] = [];
  let last = performance.now();
  for (let frame = 0; frame < frames; frame += 1) {
    scroller.scrollTop -= 60;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}

/** A field and nothing else: what a key costs in this browser before anything of ours has happened. */
export const emptyPage =
  '<!doctype html><title>raw</title><textarea aria-label="Message to nobody"></textarea>';

/** Begins to note how long it takes from each key to the frame that shows it. */
export function watchKeys(): void {
  const times: number[] = [];
  (globalThis as unknown as { keyTimes: number[] }).keyTimes = times;
  document.querySelector('textarea')?.addEventListener('input', (event) => {
    const began = event.timeStamp;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => times.push(performance.now() - began);
    // What is posted in a frame arrives when the frame has been made.
    requestAnimationFrame(() => channel.port2.postMessage(null));
  });
}

export function keyTimes(): number[] {
  return (globalThis as unknown as { keyTimes: number[] }).keyTimes;
}

interface Searching {
  /** When keys were pressed whose searches have not been answered. */
  readonly open: number[];
  readonly times: number[];
}

/** Before the page begins: notes when the answer to a search has come and its frame has been made. */
export function noteAnswers(): void {
  const page = globalThis as unknown as { searching?: Searching };
  const noteAnswer = ({ data }: MessageEvent): void => {
    if (typeof data !== 'string' || !data.includes('"hits":')) return;
    const began = page.searching?.open.shift();
    if (began === undefined) return;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => page.searching?.times.push(performance.now() - began);
    requestAnimationFrame(() => channel.port2.postMessage(null));
  };
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', noteAnswer);
    }
  };
}

/** Begins to note how long each key in the search field takes. Every key is a search, and searches are answered in order. */
export function watchSearch(): void {
  const searching: Searching = { open: [], times: [] };
  (globalThis as unknown as { searching: Searching }).searching = searching;
  document.querySelector('[role=search] input')?.addEventListener('input', (event) => {
    if ((event.target as HTMLInputElement).value.trim() !== '') searching.open.push(event.timeStamp);
  });
}

export function searchTimes(): number[] {
  return (globalThis as unknown as { searching: Searching }).searching.times;
}
