/**
 * Owns: statements on accounts and contacts. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { Account, AccountMediaPath, AccountTransport } from '../../shared/domain/account.ts';
import type { Contact } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';

/** An account as it lies on disk: without its connection, with its protected secret. */
export interface StoredAccount extends Omit<
  Account,
  'connection' | 'transport' | 'proxies' | 'mediaPath' | 'relays'
> {
  readonly transport?: AccountTransport;
  readonly proxies?: readonly string[];
  readonly mediaPath?: AccountMediaPath;
  readonly relays?: readonly string[];
  readonly secret: Uint8Array;
  /** What protects `secret`; another backend later explains why it cannot be read. */
  readonly secretBackend: string;
  /** The transport over which the server was reached last; absent: not yet. */
  readonly lastTransport?: string;
  /** Other devices of the user that want to know what happens here; absent: none. */
  readonly otherDevices?: number;
}

interface AccountRow {
  id: string;
  address: string;
  display_name: string;
  server: string;
  transport: string;
  proxies: string;
  last_transport: string;
  media_path: string;
  relays: string;
  kind: string;
  secret: Uint8Array;
  secret_backend: string;
  other_devices: number;
}

interface ContactRow {
  account_id: string;
  address: string;
  display_name: string;
}

/** What stands in conversations of an account that is not here: its address, by which it is known when it comes. */
const GONE = 'gone-';

export function goneAccountId(address: string): AccountId {
  return `${GONE}${address}` as AccountId;
}

/** The address of an account that is not here; undefined for one that is. */
export function addressOfGone(id: AccountId): string | undefined {
  return id.startsWith(GONE) ? id.slice(GONE.length) : undefined;
}

function toList(spaced: string): string[] {
  return spaced.split(' ').filter((one) => one !== '');
}

function toAccount(row: AccountRow): StoredAccount {
  return {
    id: row.id as AccountId,
    address: row.address,
    displayName: row.display_name,
    server: row.server,
    transport: row.transport as AccountTransport,
    proxies: toList(row.proxies),
    mediaPath: row.media_path as AccountMediaPath,
    relays: toList(row.relays),
    ...(row.last_transport === '' ? {} : { lastTransport: row.last_transport }),
    kind: row.kind as Account['kind'],
    secret: row.secret,
    secretBackend: row.secret_backend,
    ...(row.other_devices > 0 ? { otherDevices: row.other_devices } : {}),
  };
}

function toContact(row: ContactRow): Contact {
  return { accountId: row.account_id as AccountId, address: row.address, displayName: row.display_name };
}

export function accountProcedures(database: Database) {
  const insert = database.prepare<
    [string, string, string, string, string, string, string, string, string, Uint8Array, string, number]
  >(
    `INSERT INTO accounts (id, address, display_name, server, transport, proxies, media_path, relays, kind, secret,
       secret_backend, created_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const updateMedia = database.prepare<[string, string, string]>(
    'UPDATE accounts SET media_path = ?, relays = ? WHERE id = ?',
  );
  const updateTransport = database.prepare<[string, string]>(
    'UPDATE accounts SET last_transport = ? WHERE id = ?',
  );
  const updateServer = database.prepare<[string, string]>('UPDATE accounts SET server = ? WHERE id = ?');
  const updateSecret = database.prepare<[Uint8Array, string, string]>(
    'UPDATE accounts SET secret = ?, secret_backend = ? WHERE id = ?',
  );
  const remove = database.prepare<[string], { address: string }>(
    'DELETE FROM accounts WHERE id = ? RETURNING address',
  );
  // Where there is one with the same person already, both stay as they are.
  const moveConversations = database.prepare<[string, string], { id: string }>(
    'UPDATE OR IGNORE conversations SET account_id = ? WHERE account_id = ? RETURNING id',
  );
  const move = (to: AccountId, from: AccountId): ConversationId[] =>
    moveConversations.all(to, from).map(({ id }) => id as ConversationId);
  const list = database.prepare<[], AccountRow>('SELECT * FROM accounts ORDER BY created_ms');
  const upsertContact = database.prepare<[string, string, string]>(
    `INSERT INTO contacts (account_id, address, display_name) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET display_name = excluded.display_name`,
  );
  const nameConversation = database.prepare<[string, string, string]>(
    'UPDATE conversations SET peer_name = ? WHERE account_id = ? AND peer_address = ?',
  );
  const contacts = database.prepare<[], ContactRow>('SELECT * FROM contacts ORDER BY display_name, address');
  const contact = database.prepare<[string, string], ContactRow>(
    'SELECT * FROM contacts WHERE account_id = ? AND address = ?',
  );

  return {
    /** Returns the conversations that were waiting for it: of an account with its address that was removed, or imported. */
    insertAccount: database.transaction(
      (account: StoredAccount & { createdMs: number }): ConversationId[] => {
        const { id, address, displayName, server, kind, secret, secretBackend, createdMs } = account;
        const { transport = 'auto', proxies = [], mediaPath = 'settings', relays = [] } = account;
        const place = [server, transport, proxies.join(' '), mediaPath, relays.join(' ')] as const;
        insert.run(id, address, displayName, ...place, kind, secret, secretBackend, createdMs);
        return move(id, goneAccountId(address));
      },
    ),
    updateAccountMedia(input: {
      id: AccountId;
      mediaPath: AccountMediaPath;
      relays: readonly string[];
    }): null {
      updateMedia.run(input.mediaPath, input.relays.join(' '), input.id);
      return null;
    },
    updateAccountServer(input: { id: AccountId; server: string }): null {
      updateServer.run(input.server, input.id);
      return null;
    },
    updateAccountTransport(input: { id: AccountId; transport: string }): null {
      updateTransport.run(input.transport, input.id);
      return null;
    },
    updateAccountSecret(input: Pick<StoredAccount, 'id' | 'secret' | 'secretBackend'>): null {
      updateSecret.run(input.secret, input.secretBackend, input.id);
      return null;
    },
    /** History stays: a removed account's conversations can still be read, and wait for it. Returns them. */
    deleteAccount: database.transaction((input: { id: AccountId }): ConversationId[] => {
      const row = remove.get(input.id);
      return row === undefined ? [] : move(goneAccountId(row.address), input.id);
    }),
    selectAccounts(_input: null): StoredAccount[] {
      return list.all().map(toAccount);
    },
    upsertContact: database.transaction((input: Contact): Contact => {
      upsertContact.run(input.accountId, input.address, input.displayName);
      if (input.displayName !== '') nameConversation.run(input.displayName, input.accountId, input.address);
      return input;
    }),
    selectContacts(_input: null): Contact[] {
      return contacts.all().map(toContact);
    },
    selectContact(input: { accountId: AccountId; address: string }): Contact | null {
      const row = contact.get(input.accountId, input.address);
      return row === undefined ? null : toContact(row);
    },
  };
}
