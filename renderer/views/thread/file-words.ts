/** Owns: what a file card says about the way of its file. Called by: FileCard. Calls: i18n. */
import type { Transfer } from '../../../shared/domain/transfer.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** `rate` in bytes a second; null while nothing can be said. */
export function fileStateText(
  file: Transfer,
  incoming: boolean,
  name: string,
  rate: number | null,
  locale: Locale,
): string {
  const size = file.size === null ? null : locale.bytes(file.size);
  const withSize = (text: string): string => (size === null ? text : `${size} · ${text}`);
  switch (file.state) {
    case 'done':
      return size ?? '';
    case 'preparing':
      return withSize(locale.t('file.preparing'));
    case 'waiting':
      return withSize(locale.t('file.waiting', { name }));
    case 'offered':
      if (incoming) return size ?? locale.t('file.unknownSize');
      return withSize(
        file.elsewhere === true ? locale.t('file.elsewhere') : locale.t('file.offered', { name }),
      );
    case 'paused':
      return withSize(locale.t('file.paused'));
    case 'declined':
      return withSize(incoming ? locale.t('file.declinedByYou') : locale.t('file.declined', { name }));
    case 'cancelled':
      return withSize(locale.t('file.cancelled'));
    case 'failed':
      return file.failure === null
        ? locale.t('file.failed')
        : locale.t(`file.failure.${file.failure.code}`, { name });
    case 'transferring': {
      const done = locale.bytes(file.bytesDone);
      const parts = [size === null ? done : locale.t('file.doneOf', { done, size })];
      if (rate !== null) {
        parts.push(locale.t('file.rate', { size: locale.bytes(rate) }));
        if (file.size !== null) parts.push(locale.timeLeft((file.size - file.bytesDone) / rate));
      }
      return parts.join(' · ');
    }
  }
}
