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

  // The way to the main side is text; bytes cross as base64.
  const encodeBytes = (_key, value) =>
    value instanceof Uint8Array ? { standInBytes: value.toBase64() } : value;

  const ipcRenderer = {
    invoke: (channel, ...args) =>
      new Promise((resolve, reject) => {
        waiting.set(++lastCall, { resolve, reject });
        sendToMain(JSON.stringify({ id: lastCall, channel, args }, encodeBytes));
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
  // Files that a page has made are nowhere on the disk; of others this side of Chromium does not tell the place.
  const webUtils = {
    getPathForFile: (file) => {
      if (!(file instanceof File)) throw new TypeError('getPathForFile takes a File');
      return '';
    },
  };
  return { ipcRenderer, contextBridge, webUtils };
})();
const require = (name) => {
  if (name === 'electron') return standInElectron;
  throw new Error(`module not found: ${name} (the preload is sandboxed)`);
};
