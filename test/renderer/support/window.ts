/** Owns: a window's state over a memory backend, and views mounted with it. Called by: renderer tests. */
import { flushSync, mount, unmount, type Component } from 'svelte';
import { onTestFinished } from 'vitest';
import { Client } from '../../../renderer/api/client.ts';
import { AppState } from '../../../renderer/state/app.svelte.ts';
import { appContext } from '../../../renderer/state/context.ts';
import { MemoryBackend, type World } from './memory-backend.ts';
import { MemoryTransport } from './memory-transport.ts';

export interface TestWindow {
  readonly app: AppState;
  readonly backend: MemoryBackend;
  readonly transport: MemoryTransport;
}

/** jsdom lays nothing out, so nothing changes its size. */
globalThis.ResizeObserver = class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};

/** Nor has it anything to scroll. */
Element.prototype.scrollIntoView = () => undefined;

/** Lets answers and events arrive and effects run. */
export async function settle(): Promise<void> {
  await new Promise((done) => setTimeout(done));
  flushSync();
}

export async function openWindow(world: World): Promise<TestWindow> {
  const backend = new MemoryBackend(world);
  const transport = new MemoryTransport(backend);
  const app = new AppState(new Client(transport));
  onTestFinished(app.start());
  // First what is there, then who types.
  await settle();
  await settle();
  // jsdom never has the focus; a user who looks at the window does.
  app.attention.active = true;
  return { app, backend, transport };
}

export function show(app: AppState, view: unknown, values: Record<string, unknown> = {}): HTMLElement {
  const target = document.createElement('div');
  document.body.append(target);
  const mounted = mount(view as Component<Record<string, unknown>>, {
    target,
    props: values,
    context: appContext(app),
  });
  flushSync();
  onTestFinished(async () => {
    await unmount(mounted);
    target.remove();
  });
  return target;
}

export function buttonNamed(within: HTMLElement, name: string): HTMLButtonElement {
  const found = [...within.querySelectorAll('button')].find((button) =>
    (button.getAttribute('aria-label') ?? button.textContent).trim().includes(name),
  );
  if (found === undefined) throw new Error(`there is no button "${name}" in:\n${within.innerHTML}`);
  return found;
}

/** Types into the field with this label. */
export function fill(within: HTMLElement, label: string, text: string, nth = 0): void {
  const labels = [...within.querySelectorAll('label')].filter((each) => each.textContent.trim() === label);
  const field = labels[nth]?.control as HTMLInputElement | undefined;
  if (field === undefined) throw new Error(`there is no field "${label}" number ${nth}`);
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}
