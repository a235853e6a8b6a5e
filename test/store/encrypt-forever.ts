/**
 * A program that encrypts a history; it is killed while it does. Called by: encryption.test.ts. Calls: main/store.
 */
import { Store } from '../../main/store/store.ts';

const [, , path = '', key = ''] = process.argv;
process.stdout.write('begins\n');
await using _store = await Store.open(path, { key: Buffer.from(key, 'hex') });
process.stdout.write('encrypted\n');
