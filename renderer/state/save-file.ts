/** Owns: saving a file where the host has no dialogs: as a download. Called by: views. Calls: the DOM. */
import type { SavedFile } from '../../shared/ipc/contract.ts';

/** Null: the host has saved it, or the user has changed his mind. */
export function saveFile(file: SavedFile | null): void {
  if (file === null) return;
  const bytes = Uint8Array.from(atob(file.base64), (sign) => sign.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes]));
  const link = document.createElement('a');
  link.href = url;
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(url);
}
