/**
 * Owns: the whole window with the conversation with Tom open, and the menu of a message as its user reaches it.
 * Called by: tests of views. Calls: window.ts.
 */
import Shell from '../../../renderer/views/shell/Shell.svelte';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { World } from './memory-backend.ts';
import { buttonNamed, openWindow, settle, show, type TestWindow } from './window.ts';

export const withTom = 'with-tom' as ConversationId;

export async function openShell(world: World): Promise<TestWindow & { readonly shell: HTMLElement }> {
  const window = await openWindow(world);
  await window.app.openConversation(withTom);
  const shell = show(window.app, Shell);
  await settle();
  return { ...window, shell };
}

/** Chooses a line of the menu of the message with this text. */
export async function chooseInMenu(shell: HTMLElement, text: string, line: string): Promise<void> {
  const row = [...shell.querySelectorAll('[data-id]')].find(({ textContent }) => textContent.includes(text))!;
  row.querySelector<HTMLElement>('[data-menu]')!.click();
  await settle();
  buttonNamed(shell.querySelector('[role="menu"]')!, line).click();
  await settle();
}
