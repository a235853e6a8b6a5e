/**
 * Owns: where and how the window was when it was last closed. Called by: window.ts. Calls: one small file of the profile.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { settingSpecs } from '../../../shared/settings.ts';
import { LEAST_ZOOM, MOST_ZOOM } from './zoom.ts';

const position = v.pipe(v.number(), v.integer());
const stateSchema = v.object({
  x: v.exactOptional(position),
  y: v.exactOptional(position),
  width: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(20_000)),
  height: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(20_000)),
  maximized: v.optional(v.boolean(), false),
  /** A level of Chromium's; 0: as the system has it. */
  zoomLevel: v.optional(v.pipe(v.number(), v.minValue(LEAST_ZOOM), v.maxValue(MOST_ZOOM)), 0),
  /** What its user has chosen, which is known before the profile is open. */
  theme: v.optional(settingSpecs['appearance.theme'].schema, 'system'),
});

/** In device-independent pixels of the whole desktop. */
export type WindowState = v.InferOutput<typeof stateSchema>;

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const MIN_WIDTH = 720;
export const MIN_HEIGHT = 480;
const DEFAULT_STATE: WindowState = v.parse(stateSchema, { width: 1_240, height: 780 });
/** So much of the title bar has to be reachable. */
const GRIP = 80;

/** The remembered state; the default one when there is none or the file is broken. */
export function readWindowState(file: string): WindowState {
  try {
    return v.parse(stateSchema, JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return DEFAULT_STATE;
  }
}

/** Never throws: a place that cannot be remembered is not worth an error. */
export function writeWindowState(file: string, state: WindowState): void {
  try {
    writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
  } catch {
    // The profile is full or read-only; the store says so where it matters.
  }
}

/** Drops a position that lies on a screen that is gone, and sizes under the minimum. */
export function fitToScreens(state: WindowState, screens: readonly Area[]): WindowState {
  const { x, y, ...rest } = state;
  const size = { ...rest, width: Math.max(rest.width, MIN_WIDTH), height: Math.max(rest.height, MIN_HEIGHT) };
  if (x === undefined || y === undefined) return size;
  const reachable = screens.some(
    (screen) =>
      x + size.width - GRIP > screen.x &&
      x + GRIP < screen.x + screen.width &&
      y >= screen.y &&
      y + GRIP < screen.y + screen.height,
  );
  return reachable ? { ...size, x, y } : size;
}
