/**
 * Owns: the keys that bring the window to the front from anywhere. Called by: desktop.ts. Calls: Electron's globalShortcut.
 */
import type { GlobalShortcut } from 'electron';
import type { Log } from '../../base/log.ts';

/** At most one shortcut. */
export class Shortcut implements Disposable {
  readonly #globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
  readonly #open: () => void;
  readonly #log: Log;
  #keys = '';

  constructor(options: {
    globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
    open: () => void;
    log: Log;
  }) {
    this.#globalShortcut = options.globalShortcut;
    this.#open = options.open;
    this.#log = options.log;
  }

  /** Takes these keys, and gives the ones before back. Keys that another program has are left to it. */
  apply(keys: string): void {
    if (keys === this.#keys) return;
    this[Symbol.dispose]();
    if (keys === '') return;
    let taken = false;
    try {
      taken = this.#globalShortcut.register(keys, this.#open);
    } catch (error) {
      this.#log.warn('shortcut.invalid', { keys, error });
      return;
    }
    if (taken) this.#keys = keys;
    else this.#log.warn('shortcut.taken', { keys });
  }

  [Symbol.dispose](): void {
    if (this.#keys !== '') this.#globalShortcut.unregister(this.#keys);
    this.#keys = '';
  }
}
