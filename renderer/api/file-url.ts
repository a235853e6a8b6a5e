/** Owns: the addresses of files of messages, at the host that served the page. Called by: file cards. Calls: nothing. */
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Transfer } from '../../shared/domain/transfer.ts';

/** As the hosts: whatever else there is, it is only saved. */
const shownTypes = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp']);
/** A larger picture stays a card: decoding it would take the memory of the window. */
const maxShownBytes = 20_000_000;

export function fileUrl(messageId: MessageId, purpose: 'shown' | 'save'): string {
  const address = `/files/${encodeURIComponent(messageId)}`;
  return purpose === 'shown' ? `${address}?shown` : address;
}

/** Whether it is a picture of a kind that can be shown, and the whole of it is here. */
export function isPicture({ available, state, type, size }: Transfer): boolean {
  return available && (state === 'done' || size !== null) && shownTypes.has(type);
}

/** Whether it is not too large for that either. */
export function isShownPicture(file: Transfer): boolean {
  return isPicture(file) && (file.size ?? 0) <= maxShownBytes;
}
