/** Owns: the way from a component to the state. Called by: main.ts (gives), every view (gets). Calls: svelte. */
import { getContext } from 'svelte';
import type { AppState } from './app.svelte.ts';

const key = Symbol('app');

/** What the root component is mounted with. */
export function appContext(app: AppState): Map<symbol, AppState> {
  return new Map([[key, app]]);
}

export function getApp(): AppState {
  return getContext<AppState>(key);
}
