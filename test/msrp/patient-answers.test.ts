/**
 * Answers to chunks of which more are on their way may leave together, and wait for nothing that does not come
 * (RFC 4975 §7.1.1).
 */
import { expect, it } from 'vitest';
import { requestText } from '../support/msrp-peer.ts';
import { openWithPeer } from './fixture.ts';

const SIZE = 1_000;

it('each chunk has its 200, in order, also when nothing follows it', async () => {
  await using pair = await openWithPeer();
  const { side, peer } = pair;
  const chunk = (index: number, flag: '+' | '$'): Buffer =>
    requestText({
      id: `chunk${index}`,
      to: side.uri,
      from: peer.path,
      headers: {
        'Message-ID': 'long',
        'Byte-Range': `${index * SIZE + 1}-*/${20 * SIZE}`,
        'Content-Type': 'text/plain',
      },
      body: 'x'.repeat(SIZE),
      flag,
    });
  const answered = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    while (ids.length < count) {
      const frame = await peer.frame();
      expect(frame.kind).toBe('200 OK');
      ids.push(frame.id);
    }
    return ids;
  };
  // One alone, and the sender waits for its answer before it goes on.
  peer.send(chunk(0, '+'));
  expect(await answered(1)).toEqual(['chunk0']);
  // Many at once.
  const rest = Array.from({ length: 18 }, (_, index) => index + 1);
  peer.send(Buffer.concat(rest.map((index) => chunk(index, '+'))));
  expect(await answered(18)).toEqual(rest.map((index) => `chunk${index}`));
  peer.send(chunk(19, '$'));
  expect(await answered(1)).toEqual(['chunk19']);
  expect(side.delegate.messages.map(({ body }) => body.length)).toEqual([20 * SIZE]);
});
