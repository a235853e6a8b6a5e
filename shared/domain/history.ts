/**
 * Owns: what the window is told about the history: its care, its days, its figures.
 * Called by: contract, messenger, renderer. Calls: valibot.
 */
import * as v from 'valibot';

/** A copy of the history. */
export const backupSchema = v.object({
  name: v.string(),
  /** Milliseconds since 1970. */
  madeAtMs: v.number(),
  bytes: v.number(),
});

/**
 * What has happened to the history that its user should know.
 * `recovered`: it was damaged; `messages` were saved of the `source`, `missing` are not there (null: nobody can tell).
 * `damaged`: a look through the file has found damage, the next start repairs it. `restored`: a backup has taken its
 * place. `path`: where the file of before lies.
 */
export const historyNoticeSchema = v.variant('kind', [
  v.object({
    kind: v.literal('recovered'),
    source: v.picklist(['file', 'backup', 'nothing']),
    messages: v.number(),
    missing: v.nullable(v.number()),
    path: v.string(),
  }),
  v.object({ kind: v.literal('damaged') }),
  v.object({ kind: v.literal('restored'), path: v.string() }),
  v.object({ kind: v.literal('backup-failed'), message: v.string() }),
]);
export type HistoryNotice = v.InferOutput<typeof historyNoticeSchema>;

export const historyStatusSchema = v.object({
  /** Newest first. */
  backups: v.array(backupSchema),
  /** The backup that takes the place of the history at the next start. */
  restoring: v.nullable(v.string()),
  notice: v.nullable(historyNoticeSchema),
});
export type HistoryStatus = v.InferOutput<typeof historyStatusSchema>;

export const MIN_PASSPHRASE_CHARS = 8;

/** How the key of the history is protected. */
export const historyLockSchema = v.object({
  /** It opens with a passphrase only. */
  passphrase: v.boolean(),
  /** The system has a keyring, which protects it otherwise. */
  keyring: v.boolean(),
  /** A passphrase is wanted by whoever administers this computer, and is not there or cannot be removed. */
  required: v.boolean(),
});
export type HistoryLockStatus = v.InferOutput<typeof historyLockSchema>;

/** What a message can have that makes it worth a list of its own. */
export const messageTraits = ['image', 'file', 'link'] as const;
export type MessageTrait = (typeof messageTraits)[number];

/** A day with messages. `day` counts days of the local calendar from 1970-01-01. */
export interface MessageDay {
  readonly day: number;
  readonly count: number;
}

/** What a conversation holds. Times in ms since 1970, null when it is empty. */
export interface ConversationFigures {
  readonly incoming: number;
  readonly outgoing: number;
  readonly firstSentAtMs: number | null;
  readonly lastSentAtMs: number | null;
  readonly files: number;
  readonly fileBytes: number;
}

/** How a history is written into a folder: pages for people, lines for programs, plain text. */
export const folderFormats = ['html', 'jsonl', 'text'] as const;
export type FolderFormat = (typeof folderFormats)[number];
/** The same, or as an archive: one file (`.parley`), which Parley opens. */
export const exportFormats = ['html', 'parley', 'jsonl', 'text'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/**
 * An export or an import. `stopped` and `failed` ones can be gone on with.
 * `folder`: where it is written to, or read from; of an archive the file. `total`: messages in all, null when nobody knows.
 * `added`: of an import, the messages that were not here yet.
 */
export const historyJobSchema = v.object({
  kind: v.picklist(['export', 'import']),
  state: v.picklist(['running', 'done', 'stopped', 'failed']),
  folder: v.string(),
  conversations: v.number(),
  messages: v.number(),
  total: v.nullable(v.number()),
  files: v.number(),
  added: v.number(),
  /** Why it failed; `not-an-export` and `internal` say in `detail` what was found. `locked`: it needs a passphrase, or another one. */
  failure: v.nullable(
    v.object({
      code: v.picklist(['disk-full', 'not-written', 'not-an-export', 'locked', 'internal']),
      detail: v.string(),
    }),
  ),
});
export type HistoryJob = v.InferOutput<typeof historyJobSchema>;
