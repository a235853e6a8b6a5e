/**
 * Owns: the early visitors of one session, while the SIP answer that names the one who stays is still open.
 * Called by: session.ts. Calls: connection.ts.
 */
import type { MsrpConnection, MsrpConnectionUser } from './connection.ts';
import { msrpPathsLeadToSameEndpoint, type MsrpUri } from './uri.ts';

class Visitor implements MsrpConnectionUser {
  readonly connection: MsrpConnection;
  readonly fromPath: readonly MsrpUri[];
  readonly #visitors: MsrpVisitors;

  constructor(visitors: MsrpVisitors, connection: MsrpConnection, fromPath: readonly MsrpUri[]) {
    this.#visitors = visitors;
    this.connection = connection;
    this.fromPath = fromPath;
  }

  is(connection: MsrpConnection | undefined, fromPath: readonly MsrpUri[]): boolean {
    return (
      (connection ?? this.connection) === this.connection &&
      msrpPathsLeadToSameEndpoint(this.fromPath, fromPath)
    );
  }

  receiveResponse(): boolean {
    return false;
  }

  receiveConnectionEnd(): void {
    this.#visitors.remove(this);
  }
}

/** The provisional connections of one session (the invitation may have forked; a relay brings several on one). */
export class MsrpVisitors {
  readonly #visitors = new Set<Visitor>();
  readonly #max: number;
  readonly #receiveLastLeft: () => void;

  constructor(max: number, receiveLastLeft: () => void) {
    this.#max = max;
    this.#receiveLastLeft = receiveLastLeft;
  }

  has(connection: MsrpConnection, fromPath: readonly MsrpUri[]): boolean {
    for (const visitor of this.#visitors) if (visitor.is(connection, fromPath)) return true;
    return false;
  }

  /** Takes a visitor in; false when there are too many. */
  admit(connection: MsrpConnection, fromPath: readonly MsrpUri[]): boolean {
    if (this.#visitors.size >= this.#max) return false;
    const visitor = new Visitor(this, connection, fromPath);
    connection.users.add(visitor);
    this.#visitors.add(visitor);
    return true;
  }

  /**
   * The connection on which `path` visited and that is the announced peer's; it stays, and is no visitor any more once
   * `user` lives on it. `wrong`: it visited, with another certificate only; that connection is closed.
   */
  choose(
    path: readonly MsrpUri[],
    user: MsrpConnectionUser,
    isProven: (connection: MsrpConnection) => boolean,
  ): MsrpConnection | 'wrong' | undefined {
    let wrong = false;
    for (const visitor of [...this.#visitors]) {
      const { connection } = visitor;
      if (!visitor.is(undefined, path)) continue;
      this.#visitors.delete(visitor);
      if (isProven(connection)) {
        connection.users.add(user);
        connection.users.delete(visitor);
        return connection;
      }
      wrong = true;
      connection.leave(visitor);
    }
    return wrong ? 'wrong' : undefined;
  }

  /** Closes every connection that was not chosen. */
  dismiss(): void {
    for (const visitor of [...this.#visitors]) {
      this.#visitors.delete(visitor);
      visitor.connection.leave(visitor);
    }
  }

  /** Called by a visitor whose connection is gone. */
  remove(visitor: Visitor): void {
    if (!this.#visitors.delete(visitor)) return;
    visitor.connection.leave(visitor);
    if (this.#visitors.size === 0) this.#receiveLastLeft();
  }
}
