// In the page's own world, before its scripts: builds what the preload exposes. Functions cross as numbers.
(() => {
  if (window !== window.top) return;
  const callbacks = new Map();
  const waiting = new Map();
  let lastId = 0;
  const dispatch = (type, detail) => document.dispatchEvent(new CustomEvent(type, { detail }));

  const outward = (value) => {
    if (typeof value !== 'function') return value;
    callbacks.set(++lastId, value);
    return { callback: lastId };
  };
  const inward = (value) => {
    if (value?.method !== undefined) return (...args) => call(value.method, args);
    if (value?.promise !== undefined)
      return new Promise((resolve, reject) => waiting.set(value.promise, { resolve, reject }));
    return value;
  };
  const call = (method, args) => {
    let answer;
    const receive = ({ detail }) => (answer = detail);
    document.addEventListener('stand-in:returned', receive, { once: true });
    dispatch('stand-in:call', { method, args: args.map(outward) });
    if (answer.error !== undefined) throw new Error(answer.error);
    return inward(answer.value);
  };

  document.addEventListener('stand-in:settled', ({ detail: { id, error, value } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  });
  document.addEventListener('stand-in:callback', ({ detail: { id, args } }) => callbacks.get(id)?.(...args));
  document.addEventListener('stand-in:expose', ({ detail: { name, api } }) => {
    const value = Object.freeze(
      Object.fromEntries(Object.entries(api).map(([key, part]) => [key, inward(part)])),
    );
    Object.defineProperty(window, name, { value, enumerable: true });
  });
})();
