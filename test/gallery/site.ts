/**
 * Owns: the gallery as a site: how Vite builds and serves it. For developers only: it is in no package.
 * Called by: main.ts, gallery.e2e.ts. Calls: vite.
 */
import { resolve } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build, preview, type InlineConfig, type Plugin } from 'vite';
import { samplePictureAt } from '../support/sample-picture.ts';

const root = resolve(import.meta.dirname, '../..');

/** As a host does: the pictures of messages, of the size that their ids say. */
const pictures: Plugin = {
  name: 'sample-pictures',
  configurePreviewServer({ middlewares }) {
    middlewares.use((request, response, next) => {
      const picture = samplePictureAt(request.url ?? '');
      if (picture === undefined) {
        next();
        return;
      }
      response.setHeader('Content-Type', 'image/png');
      response.end(picture);
    });
  },
};

const config: InlineConfig = {
  configFile: false,
  root: import.meta.dirname,
  base: './',
  publicDir: resolve(root, 'renderer/public'),
  logLevel: 'warn',
  plugins: [svelte({ configFile: resolve(root, 'svelte.config.js') }), pictures],
  preview: { host: '127.0.0.1', port: 0 },
  build: {
    outDir: resolve(root, 'out/gallery'),
    emptyOutDir: true,
    target: 'chrome130',
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 4_000,
    rolldownOptions: {
      input: ['index.html', 'specimen.html'].map((page) => resolve(import.meta.dirname, page)),
    },
  },
};

/** Into out/gallery. */
export async function buildGallery(): Promise<void> {
  await build(config);
}

/** The same, again after each change of the code. Resolves when it is there for the first time. */
export async function watchGallery(): Promise<void> {
  const watcher = await build({ ...config, build: { ...config.build, watch: {} } });
  if (!('on' in watcher)) return;
  await new Promise<void>((done) => {
    watcher.on('event', ({ code }) => {
      if (code === 'END') done();
    });
  });
}

export interface Site {
  readonly address: string;
  close(): Promise<void>;
}

/** What was built, on this computer only. */
export async function serveGallery(): Promise<Site> {
  const server = await preview(config);
  return { address: server.resolvedUrls?.local[0] ?? '', close: () => server.close() };
}
