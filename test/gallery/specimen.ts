/**
 * Owns: what a specimen is (a component in one of its states) and bringing one into being.
 * Called by: page.ts, the tests of the gallery. Calls: the memory backend, the window's state, svelte.
 */
import { flushSync, mount, unmount, type Component } from 'svelte';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Settings } from '../../shared/settings.ts';
import { Client } from '../../renderer/api/client.ts';
import { AppState } from '../../renderer/state/app.svelte.ts';
import { appContext } from '../../renderer/state/context.ts';
import { MemoryBackend, type World } from '../renderer/support/memory-backend.ts';
import { MemoryTransport } from '../renderer/support/memory-transport.ts';
import { talkingWorld } from '../renderer/support/scenarios.ts';

type Props = Readonly<Record<string, unknown>>;

/** One state of a component, brought about in this order. */
export interface Specimen {
  /** The situation around it. Absent: two people talking. */
  readonly world?: () => World;
  /** The conversation that is open. */
  readonly open?: string;
  /** What is so before it is shown. */
  readonly prepare?: (app: AppState, backend: MemoryBackend) => unknown;
  /** Several: as many of the component, side by side. */
  readonly props?: (app: AppState) => Props | readonly Props[];
  /** What a user does with it. */
  readonly act?: (frame: HTMLElement, app: AppState, backend: MemoryBackend) => unknown;
  /** `page`: it fills the window. `column`: it fills the height, as wide as the list. Absent: it is as large as it is. */
  readonly room?: 'page' | 'column';
}

/** The states of a component by their names. */
export type Entry = Readonly<Record<string, Specimen>>;
/** The components by their places under renderer/. */
export type Entries = Readonly<Record<string, Entry>>;

export interface Look {
  readonly theme?: Settings['appearance.theme'];
  readonly language?: Settings['appearance.language'];
}

export interface OpenSpecimen {
  readonly app: AppState;
  close(): Promise<void>;
}

/** Lets answers and events arrive and effects run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) {
    await new Promise((done) => setTimeout(done));
    flushSync();
  }
}

export async function openSpecimen(
  target: HTMLElement,
  component: unknown,
  specimen: Specimen,
  { theme = 'system', language = 'en' }: Look = {},
): Promise<OpenSpecimen> {
  const world = (specimen.world ?? talkingWorld)();
  world.settings = { ...world.settings, 'appearance.theme': theme, 'appearance.language': language };
  const backend = new MemoryBackend(world);
  const app = new AppState(new Client(new MemoryTransport(backend)));
  const stop = app.start();
  await settle();
  app.attention.active = true;
  if (specimen.open !== undefined) await app.openConversation(specimen.open as ConversationId);
  await specimen.prepare?.(app, backend);
  await settle();
  const all = [specimen.props?.(app) ?? {}].flat();
  const mounted = all.map((props) =>
    mount(component as Component<Record<string, unknown>>, { target, props, context: appContext(app) }),
  );
  await settle();
  await specimen.act?.(target, app, backend);
  await settle();
  return {
    app,
    async close() {
      for (const each of mounted) await unmount(each);
      stop();
    },
  };
}

/** A world with something else in it. */
export function changed(base: () => World, change: Partial<World> | ((world: World) => void)): () => World {
  return () => {
    const world = base();
    if (typeof change === 'function') change(world);
    return typeof change === 'function' ? world : { ...world, ...change };
  };
}

export function conversationOf(app: AppState, id: string): Conversation {
  const found = app.conversations.get(id as ConversationId);
  if (found === undefined) throw new Error(`there is no conversation ${id}`);
  return found;
}

/** The message of the open conversation whose text begins so. */
export function messageOf(app: AppState, beginning: string): Message {
  const found = app.thread.messages.find(({ text }) => text.startsWith(beginning));
  if (found === undefined) throw new Error(`there is no message "${beginning}"`);
  return found;
}

function find(frame: HTMLElement, selector: string, nth: number): HTMLElement {
  const found = [...frame.querySelectorAll<HTMLElement>(selector)].at(nth);
  if (found === undefined) throw new Error(`there is no ${selector} number ${nth}`);
  return found;
}

/** Clicks on the first of these, or another one; negative: from the end. */
export function click(frame: HTMLElement, selector: string, nth = 0): void {
  find(frame, selector, nth).click();
  flushSync();
}

export function fill(frame: HTMLElement, selector: string, text: string, nth = 0): void {
  const field = find(frame, selector, nth) as HTMLInputElement | HTMLTextAreaElement;
  field.focus();
  field.value = text;
  if (field.type === 'text' || field instanceof HTMLTextAreaElement) {
    field.setSelectionRange(text.length, text.length);
  }
  field.dispatchEvent(new Event('input', { bubbles: true }));
  flushSync();
}

/** Another mouse button than the one that clicks. */
export function openMenu(frame: HTMLElement, selector: string, nth = 0): void {
  const { left, bottom } = find(frame, selector, nth).getBoundingClientRect();
  find(frame, selector, nth).dispatchEvent(
    new MouseEvent('contextmenu', {
      bubbles: true,
      cancelable: true,
      clientX: left + 40,
      clientY: bottom - 8,
    }),
  );
  flushSync();
}

/** Files are being dragged over the window. */
export function dragFiles(): void {
  const event = new Event('dragenter', { bubbles: true });
  Object.defineProperty(event, 'dataTransfer', { value: { types: ['Files'] } });
  window.dispatchEvent(event);
  flushSync();
}
