/** Owns: what is said about an export or import. Called by: JobNotice. Calls: i18n. */
import type { HistoryJob } from '../../../shared/domain/history.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** A path reads from left to right among words of either direction (Unicode's isolates). */
export function isolated(path: string): string {
  return `${String.fromCodePoint(0x2066)}${path}${String.fromCodePoint(0x2069)}`;
}

export function jobWords(job: HistoryJob, locale: Locale): string {
  const { added, failure, kind, messages, state, total } = job;
  const path = isolated(job.folder);
  switch (state) {
    case 'running':
      if (kind === 'import') return locale.t('job.importing', { count: messages });
      if (total === null) return locale.t('job.exportingFound', { count: messages });
      return locale.t('job.exporting', { done: messages, count: total });
    case 'done':
      if (kind === 'import') return locale.t('job.imported', { count: added, known: messages - added });
      return locale.t('job.exported', { count: messages, path });
    case 'stopped':
      return kind === 'import' ? locale.t('job.stoppedImport') : locale.t('job.stoppedExport', { path });
    case 'failed':
      return failure?.code === 'disk-full' || failure === null
        ? locale.t('job.failed.disk-full')
        : locale.t(`job.failed.${failure.code}`, { detail: isolated(failure.detail) });
  }
}
