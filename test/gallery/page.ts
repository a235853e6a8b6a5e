/**
 * Owns: the page of one specimen: ?component=…&state=…&theme=…&language=…; with ?every one after the other, which says
 * what is wrong with them. Called by: gallery.ts in a frame, gallery.e2e.ts. Calls: the catalogue.
 * Tells how it is in <html data-specimen>: ready, or failed.
 */
import '../../renderer/styles/tokens.css';
import '../../renderer/styles/base.css';
import '../../renderer/styles/controls.css';
import './fonts.css';
import './specimen.css';
import { componentNames, entries, componentNamed } from './catalogue.ts';
import { openSpecimen, type Look } from './specimen.ts';

async function show(target: HTMLElement, wanted: URLSearchParams): Promise<void> {
  const name = wanted.get('component') ?? 'App.svelte';
  const state = wanted.get('state') ?? '';
  const specimen = entries[name]?.[state];
  if (specimen === undefined) throw new Error(`${name} has no state "${state}"`);
  target.dataset['room'] = specimen.room ?? 'own';
  const look = { theme: wanted.get('theme') ?? 'system', language: wanted.get('language') ?? 'en' } as Look;
  await openSpecimen(target, componentNamed(name), specimen, look);
  await document.fonts.ready;
}

/** States in which there is nothing to be seen, as is right. */
const empty = new Set([
  'views/thread/DropTarget.svelte: nothing is dragged',
  'views/shell/LinkNotice.svelte: is there',
  'views/shell/AccountNotice.svelte: nothing to say',
  'views/settings/SettingProblem.svelte: of another setting',
]);

/** Opens and closes every state of every component; a line of the page for each that is not as it should be. */
async function checkEvery(target: HTMLElement): Promise<void> {
  const problems: string[] = [];
  for (const name of Object.keys(entries)) {
    if (!componentNames.includes(name)) problems.push(`${name} is gone: take its entry away`);
  }
  for (const name of componentNames) {
    const states = Object.entries(entries[name] ?? {});
    if (states.length === 0) problems.push(`${name} has no entry in test/gallery/entries`);
    for (const [state, specimen] of states) {
      const label = `${name}: ${state}`;
      try {
        target.dataset['room'] = specimen.room ?? 'own';
        const shown = await openSpecimen(target, componentNamed(name), specimen);
        const isSeen = target.innerText.trim() !== '' || [...target.querySelectorAll('*')].some(isVisible);
        if (isSeen === empty.has(label))
          problems.push(`${label}: ${isSeen ? 'something' : 'nothing'} is seen`);
        await shown.close();
        if (target.textContent.trim() !== '') problems.push(`${label}: it stays when it is closed`);
      } catch (error) {
        problems.push(`${label}: ${String(error)}`);
      }
      target.replaceChildren();
    }
  }
  target.textContent = problems.join('\n');
}

function isVisible(element: Element): boolean {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0 && element.checkVisibility({ visibilityProperty: true });
}

// What is copied here stays here.
Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.resolve() } });

const target = document.getElementById('app');
if (target === null) throw new Error('specimen.html has no #app');
const { dataset } = document.documentElement;
const wanted = new URLSearchParams(location.search);
(wanted.has('every') ? checkEvery(target) : show(target, wanted)).then(
  () => {
    dataset['specimen'] = 'ready';
    parent.postMessage({ specimen: 'ready' }, '*');
  },
  (error: unknown) => {
    target.textContent = String(error);
    dataset['specimen'] = 'failed';
    throw error;
  },
);
