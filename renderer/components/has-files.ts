/** Owns: whether what is dragged are files. Called by: DropTarget.svelte, ReadingDrop.svelte. Calls: nothing. */
export function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') === true;
}
