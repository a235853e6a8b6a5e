/**
 * Owns: what a catalogue is. English is the source of the keys and placeholders; the others must have the same.
 * Called by: locale.svelte.ts, the languages. Calls: nothing.
 */
import type { en } from './en.ts';

/** Texts by plural category of the placeholder `count`. */
type PluralForms = { readonly other: string } & {
  readonly [Category in Intl.LDMLPluralRule]?: string;
};
export type Entry = string | PluralForms;
export type MessageKey = keyof typeof en;
export type Catalogue = Readonly<Record<MessageKey, Entry>>;

type TextOf<E> = E extends { readonly other: infer Other } ? Other : E;
type PlaceholdersIn<Text> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlaceholdersIn<Rest>
  : never;
type Placeholders<Key extends MessageKey> = PlaceholdersIn<TextOf<(typeof en)[Key]>>;

/** Nothing for a plain text, else one value for each placeholder. */
export type Values<Key extends MessageKey> = [Placeholders<Key>] extends [never]
  ? []
  : [values: Readonly<Record<Placeholders<Key>, string | number>>];
