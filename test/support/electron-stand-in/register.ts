/**
 * Owns: that `electron` means the stand-in in this process: `node --import …/register.ts out/hosts/electron/main.js`.
 * Called by: test/support/electron-driver.ts. Calls: Node's module hooks.
 */
import { registerHooks } from 'node:module';

const standIn = new URL('./electron.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' ? { url: standIn, shortCircuit: true } : next(specifier, context),
});
