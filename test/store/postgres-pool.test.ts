/** A connection that breaks in the middle of a transaction: nothing of it is done, and the server goes on. */
import { expect, it } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { StoreError } from '../../main/store/database.ts';
import { PostgresPool } from '../../main/store/postgres/postgres-pool.ts';
import { Postgres, postgresMissing } from '../support/postgres.ts';

it.skipIf(postgresMissing)(
  'between two statements: the transaction fails, the next one gets another connection',
  async () => {
    await using postgres = await Postgres.start();
    await using pool = new PostgresPool({ url: await postgres.database(), connections: 2 }, 'a', silentLog);
    await pool.run('CREATE TABLE said (text text)');
    const broken = pool.transact(async (run) => {
      await run("INSERT INTO said VALUES ('lost')");
      const [own] = await run<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      // Resolves when it is gone, and the news of it is here before the answer to another statement.
      await pool.run('SELECT pg_terminate_backend($1, 5000)', [own?.pid]);
      await pool.run('SELECT pg_sleep(0.05)');
      await run("INSERT INTO said VALUES ('lost as well')");
    });
    await expect(broken).rejects.toBeInstanceOf(StoreError);
    await pool.transact(async (run) => {
      await run("INSERT INTO said VALUES ('kept')");
    });
    expect(await pool.run('SELECT text FROM said')).toEqual([{ text: 'kept' }]);
  },
);
