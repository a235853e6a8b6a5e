/** Owns: which views are shown. Called by: app, shell views. Calls: nothing. */
export type MainView = 'thread' | 'settings' | 'help';
export type SideView = 'list' | 'new' | 'forward';

/** Of the list of conversations, in pixels: as narrow as its pictures, or from the narrowest to the widest. */
export const listWidths = { avatars: 72, narrowest: 280, widest: 360 } as const;

export class Shell {
  /** The three doors instead of everything else. */
  welcome = $state(false);
  main = $state<MainView>('thread');
  side = $state<SideView>('list');
  /** In a narrow window, which of the two panes has its turn. */
  turn = $state<'side' | 'main'>('side');
  /** One of `listWidths`, or between the last two. */
  listWidth = $state(320);
  /** The menu of the account at the head of the list. */
  accountMenu = $state(false);
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

  /** The user has made the list so narrow that only its pictures are left. */
  get isCollapsed(): boolean {
    return this.listWidth === listWidths.avatars;
  }

  /** To the nearest width that there is. */
  resizeList(width: number): void {
    const { avatars, narrowest, widest } = listWidths;
    const isNearer = width < (avatars + narrowest) / 2;
    this.listWidth = isNearer ? avatars : Math.min(widest, Math.max(narrowest, Math.round(width)));
  }

  /** Between pictures only and words beside them. */
  toggleList(): void {
    this.listWidth = this.isCollapsed ? listWidths.narrowest : listWidths.avatars;
  }
}
