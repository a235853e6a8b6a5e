/**
 * Owns: light and dark: what the system is, and what the program wants instead.
 * Called by: electron.ts, browser-window.ts, web-contents.ts. Calls: nothing.
 */
import { EventEmitter } from 'node:events';

class NativeTheme extends EventEmitter {
  #source: 'system' | 'light' | 'dark' = 'system';
  #systemIsDark = false;

  get themeSource(): 'system' | 'light' | 'dark' {
    return this.#source;
  }

  set themeSource(source: 'system' | 'light' | 'dark') {
    this.#change(() => (this.#source = source));
  }

  get shouldUseDarkColors(): boolean {
    return this.#source === 'system' ? this.#systemIsDark : this.#source === 'dark';
  }

  /** Of the stand-in itself: the system's user has chosen another one. */
  setSystemDark(isDark: boolean): void {
    this.#change(() => (this.#systemIsDark = isDark));
  }

  #change(make: () => void): void {
    const before = this.shouldUseDarkColors;
    make();
    if (this.shouldUseDarkColors !== before) this.emit('updated');
  }
}

export const nativeTheme = new NativeTheme();
