/** Owns: whether the main process hears the window. Called by: app, shell views. Calls: nothing. */
import type { LinkState } from '../api/transport.ts';

export class Link {
  state = $state<LinkState>('connecting');
  /** True from the first loss until it is up again: connecting at the start is no loss. */
  lost = $state(false);

  applyState(state: LinkState): void {
    this.state = state;
    if (state === 'down') this.lost = true;
    if (state === 'up') this.lost = false;
  }
}
