/** Owns: the keys that work wherever the focus is. Called by: Shell.svelte. Calls: state. */
import type { AppState } from '../../state/app.svelte.ts';

function isWriting(target: EventTarget | null): boolean {
  const isField = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  return isField && target.value !== '';
}

/** Does what F1, and Control (on a Mac Command) with a key, mean; other keys are left alone. */
export function receiveShortcut(event: KeyboardEvent, app: AppState): void {
  if (event.key === 'F1') {
    event.preventDefault();
    app.shell.showMain('help');
    return;
  }
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.isComposing) return;
  const action = actionOf(event, app);
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function actionOf({ key, target }: KeyboardEvent, app: AppState): (() => void) | undefined {
  const { conversations, search, shell, thread } = app;
  const conversation = shell.main === 'thread' ? conversations.open : undefined;
  const find = (scope: typeof conversation) => () => {
    search.begin(scope ?? null);
    shell.showSide();
  };
  switch (key.toLowerCase()) {
    case 'k':
      return find(undefined);
    case 'f':
      return find(conversation);
    case 'j':
      return () => void app.showUnread();
    case ',':
      return app.writes ? () => shell.showMain('settings') : undefined;
  }
  if (conversation === undefined) return undefined;
  switch (key.toLowerCase()) {
    case 'g':
      return () => void app.openCalendar();
    case 'i':
      return () => app.toggleDetails();
    // In a text they go to its ends.
    case 'home':
      return isWriting(target) ? undefined : () => void thread.showBeginning();
    case 'end':
      return isWriting(target) ? undefined : () => void thread.jumpToLatest();
    default:
      return undefined;
  }
}
