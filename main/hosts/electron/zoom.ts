/**
 * Owns: larger and smaller by keys, where no menu bar does it. Called by: window.ts, window-state.ts.
 * Calls: Electron's zoom level.
 */
import type { Input, WebContents } from 'electron';

/** Each level is a fifth more or less, as in browsers: 42 % to 299 %. */
export const LEAST_ZOOM = -4.5;
export const MOST_ZOOM = 6;
const STEP = 0.5;
const FACTOR = 1.2;

/** How much larger a level is. */
export function zoomFactor(level: number): number {
  return FACTOR ** level;
}

/** The level that a key leads to from `level`; undefined: the key is none of these. */
export function zoomOf(
  { type, key, control, meta, alt }: Pick<Input, 'type' | 'key' | 'control' | 'meta' | 'alt'>,
  level: number,
  platform: NodeJS.Platform = process.platform,
): number | undefined {
  const command = platform === 'darwin' ? meta : control;
  if (type !== 'keyDown' || !command || alt) return undefined;
  if (key === '+' || key === '=') return Math.min(MOST_ZOOM, level + STEP);
  if (key === '-' || key === '_') return Math.max(LEAST_ZOOM, level - STEP);
  return key === '0' ? 0 : undefined;
}

/** Control (on macOS Command) with plus, minus and 0. */
export function zoomByKeys(contents: WebContents): void {
  contents.on('before-input-event', (event, input) => {
    const level = zoomOf(input, contents.getZoomLevel());
    if (level === undefined) return;
    event.preventDefault();
    contents.setZoomLevel(level);
  });
}
