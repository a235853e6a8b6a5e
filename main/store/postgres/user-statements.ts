/**
 * Owns: statements on users in PostgreSQL, and what all nodes of a server have in common. Called by: postgres-store.ts.
 * Calls: postgres-pool.ts.
 */
import { randomBytes } from 'node:crypto';
import { StoreError } from '../database.ts';
import type { PostgresPool } from './postgres-pool.ts';

/** A user as he lies in the table. */
export interface StoredUser {
  readonly user: string;
  readonly displayName: string;
  readonly ha1: { readonly 'SHA-256': string; readonly MD5: string };
  readonly disabled: boolean;
}

interface UserRow {
  username: string;
  display_name: string;
  ha1_sha256: string;
  ha1_md5: string;
  disabled: boolean;
}

const SECRET_BYTES = 32;

export function userStatements(pool: PostgresPool) {
  return {
    /**
     * A secret that all nodes know, made by the first of them. Rejects with StoreError when the database belongs to
     * another domain.
     */
    async claimDomain(domain: string): Promise<Buffer> {
      await pool.run('INSERT INTO server (domain, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        domain,
        randomBytes(SECRET_BYTES),
      ]);
      const [known] = await pool.run<{ domain: string; secret: Buffer }>('SELECT domain, secret FROM server');
      if (known?.domain !== domain) {
        throw new StoreError(
          'STORE_FAILED',
          `The database belongs to the domain ${known?.domain ?? '(none)'}, not to ${domain}: passwords are bound to the domain.`,
        );
      }
      return known.secret;
    },
    async selectUsers(): Promise<StoredUser[]> {
      const rows = await pool.run<UserRow>('SELECT * FROM users ORDER BY username');
      return rows.map((row) => ({
        user: row.username,
        displayName: row.display_name,
        ha1: { 'SHA-256': row.ha1_sha256, MD5: row.ha1_md5 },
        disabled: row.disabled,
      }));
    },
    /** Who is there already keeps whether he is disabled. */
    async upsertUser({ user, displayName, ha1 }: Omit<StoredUser, 'disabled'>): Promise<void> {
      await pool.change(
        `INSERT INTO users (username, display_name, ha1_sha256, ha1_md5) VALUES ($1, $2, $3, $4)
         ON CONFLICT (username) DO UPDATE SET display_name = excluded.display_name,
           ha1_sha256 = excluded.ha1_sha256, ha1_md5 = excluded.ha1_md5`,
        [user, displayName, ha1['SHA-256'], ha1.MD5],
        { kind: 'users' },
      );
    },
    async updateUserDisabled(user: string, disabled: boolean): Promise<void> {
      await pool.change('UPDATE users SET disabled = $2 WHERE username = $1', [user, disabled], {
        kind: 'users',
      });
    },
    async deleteUser(user: string): Promise<void> {
      await pool.change('DELETE FROM users WHERE username = $1', [user], { kind: 'users' });
    },
  };
}

export type UserStatements = ReturnType<typeof userStatements>;
