/**
 * Owns: the file of users: names and password hashes, never passwords.
 * Called by: credentials.ts, imserver.ts, main.ts. Calls: the file system.
 */
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import { isReservedName } from '../base/room-names.ts';
import { DIGEST_ALGORITHMS, digestHa1, type DigestAlgorithm } from '../sip/digest.ts';
import type { User, Users } from './users.ts';

const userSchema = v.object({
  displayName: v.optional(v.string(), ''),
  /** H(user:realm:password) by algorithm; the realm is the domain. */
  ha1: v.object({ 'SHA-256': v.string(), MD5: v.string() }),
  /** May not sign in for the time being. */
  disabled: v.optional(v.boolean(), false),
});
const fileSchema = v.object({ realm: v.string(), users: v.record(v.string(), userSchema) });

/** The user file is damaged, or a user cannot be added. The message says what to do. */
export class UserFileError extends Error {
  override readonly name = 'UserFileError';
}

export const USER_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** Throws UserFileError when there can be no such user beside `count` others. */
export function checkNewUser(user: string, count: number): void {
  if (!USER_NAME.test(user)) {
    throw new UserFileError(
      `"${user}" cannot be a user name: letters, digits, dot, hyphen and underscore only.`,
    );
  }
  if (isReservedName(user)) throw new UserFileError(`"${user}" is reserved for chat rooms.`);
  if (count >= IMSERVER_LIMITS.maxUsers) throw new UserFileError('The server has as many users as it can.');
}

/** What is kept instead of a password. */
export function hashesOf(user: string, realm: string, password: string): Record<DigestAlgorithm, string> {
  return Object.fromEntries(
    DIGEST_ALGORITHMS.map((algorithm) => [algorithm, digestHa1(algorithm, user, realm, password)]),
  ) as Record<DigestAlgorithm, string>;
}

/** The users of one server. Changes that another process makes to the file are seen at the next look. */
export class UserFile implements Users {
  readonly path: string;
  readonly #realm: string;
  #users = new Map<string, User>();
  #readStamp = '';
  /** A read of the file that goes on: whoever looks meanwhile and sees the same file waits for it. */
  #reading: { readonly stamp: string; readonly done: Promise<void> } | undefined;

  constructor(folder: string, realm: string) {
    this.path = join(folder, 'users.json');
    this.#realm = realm;
  }

  async find(user: string): Promise<User | undefined> {
    await this.#read();
    return this.#users.get(user);
  }

  async list(): Promise<ReadonlyMap<string, User>> {
    await this.#read();
    return this.#users;
  }

  /** Adds a user, or gives an existing one a new password. Rejects with UserFileError. */
  async add(user: string, password: string, displayName = ''): Promise<void> {
    await this.#read();
    checkNewUser(user, this.#users.size);
    const ha1 = hashesOf(user, this.#realm, password);
    this.#users.set(user, { displayName, ha1, disabled: this.#users.get(user)?.disabled ?? false });
    await this.#write();
  }

  /** A user who is disabled keeps everything and may not sign in. False when there is no such user. */
  async setDisabled(user: string, disabled: boolean): Promise<boolean> {
    await this.#read();
    const known = this.#users.get(user);
    if (known === undefined) return false;
    this.#users.set(user, { ...known, disabled });
    await this.#write();
    return true;
  }

  /** False when there is no such user. */
  async remove(user: string): Promise<boolean> {
    await this.#read();
    if (!this.#users.delete(user)) return false;
    await this.#write();
    return true;
  }

  async #read(): Promise<void> {
    let stamp: string;
    try {
      const { mtimeMs, size, ino } = await stat(this.path);
      stamp = `${mtimeMs}/${size}/${ino}`;
    } catch {
      this.#users = new Map();
      this.#readStamp = '';
      return;
    }
    if (stamp === this.#readStamp) return;
    if (this.#reading?.stamp !== stamp) this.#reading = { stamp, done: this.#readFile(stamp) };
    const reading = this.#reading;
    try {
      await reading.done;
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
  }

  async #readFile(stamp: string): Promise<void> {
    const parsed = v.safeParse(fileSchema, parseJson(await readFile(this.path, 'utf8')));
    if (!parsed.success) throw new UserFileError(`${this.path} is damaged. Restore it from a copy.`);
    if (parsed.output.realm !== this.#realm) {
      throw new UserFileError(
        `${this.path} belongs to the domain ${parsed.output.realm}, not to ${this.#realm}: passwords are bound to the domain.`,
      );
    }
    this.#users = new Map(Object.entries(parsed.output.users));
    this.#readStamp = stamp;
  }

  /** Written beside and renamed: a crash leaves the old file or the new one, never half of one. */
  async #write(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${process.pid}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(
        `${JSON.stringify({ realm: this.#realm, users: Object.fromEntries(this.#users) }, null, 2)}\n`,
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.path);
    this.#readStamp = '';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
