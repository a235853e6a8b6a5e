/** Owns: what a file card says about the way of its file. Called by: FileCard. Calls: i18n. */
import type { Transfer, TransferFailureCode } from '../../../shared/domain/transfer.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** `rate` in bytes a second; null while nothing can be said. `inGroup`: its other side is a server, and not `name`. */
export function fileStateText(
  file: Transfer,
  incoming: boolean,
  name: string,
  rate: number | null,
  locale: Locale,
  inGroup: boolean,
): string {
  const size = file.size === null ? null : locale.bytes(file.size);
  const withSize = (text: string): string => (size === null ? text : `${size} · ${text}`);
  switch (file.state) {
    case 'done':
      return size ?? '';
    case 'preparing':
      return withSize(locale.t('file.preparing'));
    case 'waiting':
      return withSize(inGroup ? locale.t('group.file.waiting') : locale.t('file.waiting', { name }));
    case 'offered':
      if (incoming) return size ?? locale.t('file.unknownSize');
      if (inGroup) return withSize(locale.t('group.file.waiting'));
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
        : failureText(file.failure.code, name, locale, inGroup);
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

function failureText(code: TransferFailureCode, name: string, locale: Locale, inGroup: boolean): string {
  if (inGroup && (code === 'too-large' || code === 'not-supported' || code === 'gone'))
    return locale.t(`group.file.${code}`);
  return locale.t(`file.failure.${code}`, { name });
}
