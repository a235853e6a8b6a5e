/**
 * Owns: the version that the program shows. Called by: app.ts. Calls: package.json, at build time and at run time.
 */
import packageJson from '../../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;
