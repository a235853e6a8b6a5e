/** Owns: which views are shown. Called by: app, shell views. Calls: nothing. */
export type MainView = 'thread' | 'settings' | 'help';
export type SideView = 'list' | 'new';

const narrowest = 280;
const widest = 360;

export class Shell {
  /** The three doors instead of everything else. */
  welcome = $state(false);
  main = $state<MainView>('thread');
  side = $state<SideView>('list');
  /** In a narrow window, which of the two panes has its turn. */
  turn = $state<'side' | 'main'>('side');
  listWidth = $state(320);
  /** What the form for a new conversation begins with; empty once it has taken it. */
  newAddress = $state('');
  /** Who is chosen at first in the form for a new group; null: it begins with a person. */
  newGroup = $state.raw<readonly string[] | null>(null);

  showMain(view: MainView): void {
    this.main = view;
    this.turn = 'main';
  }

  showSide(view: SideView = 'list'): void {
    this.side = view;
    this.turn = 'side';
  }

  /** The form for a new conversation, with an address that the user has still to agree to. */
  showNew(address: string): void {
    this.newAddress = address;
    this.newGroup = null;
    this.showSide('new');
  }

  /** The form for a new group with these people. */
  showNewGroup(people: readonly string[]): void {
    this.newGroup = people;
    this.showSide('new');
  }

  resizeList(width: number): void {
    this.listWidth = Math.min(widest, Math.max(narrowest, Math.round(width)));
  }
}
