/**
 * Owns: what the server asks about its users, wherever they are kept. Called by: everything of the IM Server.
 * Calls: nothing. Kept by: user-file.ts.
 */
import type { DigestAlgorithm } from '../sip/digest.ts';

export interface User {
  readonly displayName: string;
  /** H(user:realm:password) by algorithm; the realm is the domain. */
  readonly ha1: Readonly<Record<DigestAlgorithm, string>>;
  /** May not sign in for the time being. */
  readonly disabled: boolean;
}

/** The users of one server. */
export interface Users {
  find(user: string): Promise<User | undefined>;
  list(): Promise<ReadonlyMap<string, User>>;
  /** Adds a user, or gives an existing one a new password. Rejects with UserFileError. */
  add(user: string, password: string, displayName?: string): Promise<void>;
  /** A user who is disabled keeps everything and may not sign in. False when there is no such user. */
  setDisabled(user: string, disabled: boolean): Promise<boolean>;
  /** False when there is no such user. */
  remove(user: string): Promise<boolean>;
}
