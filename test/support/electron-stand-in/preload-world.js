// Before the preload, in its isolated world: what `require('electron')` is there. `standInSend` is a binding that
// only this world has.
const standInElectron = (() => {
  const methods = [];
  const waiting = new Map();
  const listeners = new Map();
  let lastCall = 0;
  let lastPromise = 0;
  const sendToMain = globalThis.standInSend;
  delete globalThis.standInSend;
  const dispatch = (type, detail) => document.dispatchEvent(new CustomEvent(type, { detail }));

  const outward = (value) => {
    if (typeof value === 'function') return { method: methods.push(value) - 1 };
    if (typeof value?.then !== 'function') return value;
    const id = ++lastPromise;
    // Settled later than returned, so that the page has its promise by then.
    value.then(
      (settled) => dispatch('stand-in:settled', { id, value: settled }),
      (error) => dispatch('stand-in:settled', { id, error: error.message }),
    );
    return { promise: id };
  };
  const inward = (value) =>
    value?.callback === undefined
      ? value
      : (...args) => dispatch('stand-in:callback', { id: value.callback, args });

  document.addEventListener('stand-in:call', ({ detail: { method, args } }) => {
    let answer;
    try {
      answer = { value: outward(methods[method](...args.map(inward))) };
    } catch (error) {
      answer = { error: error.message };
    }
    dispatch('stand-in:returned', answer);
  });
  globalThis.standInReceive = (text) => {
    const { id, channel, args, value, error } = JSON.parse(text);
    if (id === undefined) {
      for (const listener of [...(listeners.get(channel) ?? [])]) listener({ sender: ipcRenderer }, ...args);
      return;
    }
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  };

  const ipcRenderer = {
    invoke: (channel, ...args) =>
      new Promise((resolve, reject) => {
        waiting.set(++lastCall, { resolve, reject });
        sendToMain(JSON.stringify({ id: lastCall, channel, args }));
      }),
    on: (channel, listener) => {
      if (!listeners.has(channel)) listeners.set(channel, new Set());
      listeners.get(channel).add(listener);
    },
    off: (channel, listener) => listeners.get(channel)?.delete(listener),
  };
  const contextBridge = {
    exposeInMainWorld: (name, api) =>
      dispatch('stand-in:expose', {
        name,
        api: Object.fromEntries(Object.entries(api).map(([key, part]) => [key, outward(part)])),
      }),
  };
  return { ipcRenderer, contextBridge };
})();
const require = (name) => {
  if (name === 'electron') return standInElectron;
  throw new Error(`module not found: ${name} (the preload is sandboxed)`);
};
