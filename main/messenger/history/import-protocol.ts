/**
 * Owns: what crosses between an import and the thread that reads its export.
 * Called by: import-reader.ts, import-thread.ts. Calls: nothing.
 */
import type { PreparedMessages } from '../../store/message-preparing.ts';
import type { ExportError } from './export-error.ts';
import type { ExportLine } from './export-format.ts';

/** What the thread is started with. */
export interface ImportStart {
  /** The export: its folder, or an archive. */
  readonly from: string;
  readonly passphrase: string | undefined;
  /** Where files of messages go. */
  readonly filesFolder: string;
}

export type ConversationLine = Extract<ExportLine, { type: 'conversation' }>;

/** Of one export in order. A conversation comes with or before its messages, which name it as the export does. */
export interface ImportPart {
  readonly type: 'part';
  readonly conversations: readonly ConversationLine[];
  readonly messages: PreparedMessages;
}

export type ImportPiece =
  | ImportPart
  | { readonly type: 'end' }
  | {
      readonly type: 'failed';
      /** Of an ExportError; null for others. */
      readonly kind: ExportError['kind'] | null;
      readonly code: string | null;
      readonly message: string;
    };

/** Parts that have been read and are not on the disk yet; for each that is, the thread is told `settled`. */
export const MAX_AHEAD = 32;
