/**
 * Owns: the page that shows every component in every state, each in a frame of its own. Called by: index.html.
 * Calls: the catalogue, for the names.
 */
import './gallery.css';
import { entries } from './catalogue.ts';

const heightsPx = { page: 640, column: 560, own: 160 };
/** Room for what floats over a part. */
const slackPx = 24;
const controls = ['theme', 'language', 'width'] as const;

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  values: Partial<HTMLElementTagNameMap[Name]> = {},
): HTMLElementTagNameMap[Name] {
  return Object.assign(document.createElement(name), values);
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

const names = byId('names');
const states = byId('states');
const chosen = (): string => decodeURIComponent(location.hash.slice(1)) || 'App.svelte';
const valueOf = (id: string): string => (byId(id) as HTMLInputElement | HTMLSelectElement).value;

function fillNames(): void {
  const wanted = valueOf('filter').toLowerCase();
  const all = Object.keys(entries).filter((name) => name.toLowerCase().includes(wanted));
  const folders = Map.groupBy(all, (name) => name.slice(0, Math.max(0, name.lastIndexOf('/'))));
  names.replaceChildren(
    ...[...folders].flatMap(([folder, inside]) => [
      element('h2', { textContent: folder === '' ? 'the whole window' : folder }),
      ...inside.map((name) => {
        const count = Object.keys(entries[name] ?? {}).length;
        const label = name.slice(name.lastIndexOf('/') + 1).replace('.svelte', '');
        const link = element('a', {
          href: `#${encodeURIComponent(name)}`,
          textContent: `${label} (${count})`,
        });
        if (name === chosen()) link.setAttribute('aria-current', 'page');
        const item = element('li');
        item.append(link);
        return item;
      }),
    ]),
  );
}

/** What does not fill what it is given is as high as it is. */
function receiveReady(frame: HTMLIFrameElement, room: string | undefined): void {
  frame.inert = false;
  const inside = frame.contentDocument?.getElementById('app')?.scrollHeight ?? 0;
  if (room === undefined) frame.style.blockSize = `${inside + slackPx}px`;
}

function showStates(): void {
  const component = chosen();
  byId('title').textContent = component;
  states.replaceChildren(
    ...Object.entries(entries[component] ?? {}).map(([state, { room }]) => {
      const values = { component, state, theme: valueOf('theme'), language: valueOf('language') };
      const frame = element('iframe', {
        src: `./specimen.html?${new URLSearchParams(values).toString()}`,
        title: `${component}: ${state}`,
        loading: 'lazy',
      });
      frame.style.inlineSize = `${valueOf('width')}px`;
      frame.style.blockSize = `${heightsPx[room ?? 'own']}px`;
      // Not until it is ready: what takes the focus would scroll this page.
      frame.inert = true;
      addEventListener('message', ({ source }) => {
        if (source === frame.contentWindow) receiveReady(frame, room);
      });
      const figure = element('figure');
      figure.append(element('figcaption', { textContent: state }), frame);
      return figure;
    }),
  );
}

function showAll(): void {
  fillNames();
  showStates();
}

byId('filter').addEventListener('input', fillNames);
for (const id of controls) byId(id).addEventListener('change', showStates);
addEventListener('hashchange', showAll);
showAll();
