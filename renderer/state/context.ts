/** Owns: the way from a component to the state. Called by: App.svelte (sets), every view (gets). Calls: svelte. */
import { createContext } from 'svelte';
import type { AppState } from './app.svelte.ts';

export const [getApp, setApp] = createContext<AppState>();
