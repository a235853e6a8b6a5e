/** Owns: letters as one looks for them: without their marks, in lower case. Called by: emoji.ts, renderer/state. Calls: nothing. */
export function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}
