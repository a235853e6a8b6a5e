import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { PacedTransport } from '../../../renderer/api/paced-transport.ts';
import { MemoryBackend } from '../support/memory-backend.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { talkingWorld } from '../support/scenarios.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function connect() {
  const backend = new MemoryBackend(talkingWorld());
  const inner = new MemoryTransport(backend);
  const transport = new PacedTransport(inner);
  const heard: string[] = [];
  const stop = transport.subscribe({
    receiveEvent: ({ seq }) => heard.push(String(seq)),
    receiveLink: (state) => heard.push(state),
  });
  onTestFinished(stop);
  const publish = (count: number): void => {
    for (let nth = 0; nth < count; nth += 1) backend.publish('imserver.changed', { running: true });
  };
  return { inner, transport, heard, publish, stop };
}

it('an event after a rest is there at once, what follows it in a moment together and in order', () => {
  const { heard, publish } = connect();
  publish(1);
  expect(heard).toEqual(['up', '1']);
  publish(3);
  expect(heard).toEqual(['up', '1']);
  vi.advanceTimersByTime(40);
  expect(heard).toEqual(['up', '1', '2', '3', '4']);
  publish(1);
  expect(heard).toHaveLength(5);
  vi.advanceTimersByTime(200);
  publish(1);
  expect(heard.slice(5)).toEqual(['5', '6']);
});

it('an answer, and the end of the link, do not overtake the events before them', async () => {
  const { inner, transport, heard, publish } = connect();
  publish(3);
  await transport.invoke('app.info', {});
  expect(heard).toEqual(['up', '1', '2', '3']);
  publish(2);
  inner.cut();
  expect(heard.slice(4)).toEqual(['4', '5', 'down']);
});

it('a window that cannot be seen is told each event at once', () => {
  const { heard, publish } = connect();
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  onTestFinished(() => hidden.mockRestore());
  publish(3);
  expect(heard).toEqual(['up', '1', '2', '3']);
});

it('after its end nothing is told any more', () => {
  const { heard, publish, stop } = connect();
  publish(3);
  stop();
  vi.advanceTimersByTime(200);
  expect(heard).toEqual(['up', '1']);
});
